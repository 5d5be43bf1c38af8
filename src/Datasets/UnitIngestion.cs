using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Stores the images of one unit in blob storage and determines the status of each of its rows.</summary>
internal sealed class UnitIngestion(IngestPlan plan, IngestUnit unit, ImageStore images, ImageDownloader downloader, UnitProgress progress,
    IngestionOptions options)
{
    private readonly SplitRule _splits = SplitRule.Of(plan);

    /// <summary>Ingests a batch of rows concurrently; returns their row statuses in the order of the rows.</summary>
    public async Task<IReadOnlyList<ManifestRow>> IngestAsync(IReadOnlyList<DatasetRow> rows, CancellationToken cancellationToken)
    {
        var fates = new ManifestRow[rows.Count];
        await Parallel.ForAsync(0, rows.Count,
            new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                progress.Add(fates[i] = await IngestAsync(rows[i], token));
                PipelineMetrics.CountRow(fates[i]);
            });
        return fates;
    }

    private async Task<ManifestRow> IngestAsync(DatasetRow row, CancellationToken cancellationToken)
    {
        var fate = new ManifestRow
        {
            Row = row.Row,
            SourceSplit = unit.Split,
            Split = _splits.SplitOf(unit.Split, row.Product, image: []),
            State = RowState.Rejected,
            ImageUrl = row.ImageUrl,
            Product = row.Product,
            Title = row.Title,
            Category = row.Category,
            // JSON cannot represent NaN and infinity.
            Price = row.Price is { } number && double.IsFinite(number) ? number : null,
        };
        if (row.Fault is { } fault) return fate with { Reason = Rejection.UnreadableRow, Detail = fault };
        if (row.Price is { } price && (!double.IsFinite(price) || price < 0))
            return fate with { Reason = Rejection.BadPrice, Detail = $"{row.PriceText ?? $"{price}"} is no price" };
        if (row.Title is null && row.Category is null && row.Price is null)
            return fate with { Reason = Rejection.NoLabel, Detail = "the row has no title, no category and no price" };
        try
        {
            var image = await StoreAsync(row, cancellationToken);
            return fate with
            {
                State = RowState.Stored,
                Split = _splits.SplitOf(unit.Split, row.Product, Convert.FromHexString(image.Sha256)),
                Sha256 = image.Sha256,
                Bytes = image.Bytes,
                Width = image.Width,
                Height = image.Height,
            };
        }
        catch (UnreadableImageException e)
        {
            return fate with { Reason = e.Reason, Detail = e.Detail };
        }
    }

    private async Task<StoredImage> StoreAsync(DatasetRow row, CancellationToken cancellationToken)
    {
        if (row.ImageBytes is { } embedded) return await images.AddAsync(embedded, cancellationToken);
        if (row.ImageUrl is { } known && await images.FindAsync(known, cancellationToken) is { } there) return there;
        var image = await images.AddAsync(await downloader.DownloadAsync(row.ImageUrl, cancellationToken), cancellationToken);
        await images.RememberAsync(row.ImageUrl!, image, cancellationToken);
        return image;
    }
}

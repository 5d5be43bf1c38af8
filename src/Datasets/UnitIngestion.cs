using System.Security.Cryptography;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Brings the images of one unit to blob storage and decides the fate of each of its rows.</summary>
internal sealed class UnitIngestion(ResolvedDataset dataset, IngestUnit unit, BlobContainerClient container, ImageDownloader downloader,
    IngestionOptions options)
{
    private readonly SplitRule _splits = SplitRule.Of(dataset);
    private readonly HashSet<(string Sha256, string Split, string? Product, string? Title, string? Category, double? Price)> _seen = [];

    /// <summary>Handles a batch of rows, several at a time; the fates come in the rows' order.</summary>
    public async Task<IReadOnlyList<ManifestRow>> IngestAsync(IReadOnlyList<DatasetRow> rows, CancellationToken cancellation)
    {
        var fates = new ManifestRow[rows.Count];
        await Parallel.ForAsync(0, rows.Count,
            new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancellation },
            async (i, token) => fates[i] = await IngestAsync(rows[i], token));
        for (var i = 0; i < fates.Length; i++)
            if (fates[i] is { State: RowState.Stored, Sha256: { } sha } fate
                && !_seen.Add((sha, fate.Split, fate.Product, fate.Title, fate.Category, fate.Price)))
                fates[i] = fate with { State = RowState.Duplicate };
        return fates;
    }

    private async Task<ManifestRow> IngestAsync(DatasetRow row, CancellationToken cancellation)
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
            // JSON has no word for NaN and infinity.
            Price = row.Price is { } number && double.IsFinite(number) ? number : null,
        };
        if (row.Fault is { } fault) return fate with { Reason = Rejection.UnreadableRow, Detail = fault };
        if (row.Price is { } price && (!double.IsFinite(price) || price < 0))
            return fate with { Reason = Rejection.BadPrice, Detail = $"{row.PriceText ?? $"{price}"} is no price" };
        if (row.Title is null && row.Category is null && row.Price is null)
            return fate with { Reason = Rejection.NoLabel, Detail = "the row has no title, no category and no price" };
        try
        {
            return await StoreAsync(row, fate, cancellation);
        }
        catch (UnreadableImageException e)
        {
            return fate with { Reason = e.Reason, Detail = e.Detail };
        }
    }

    private async Task<ManifestRow> StoreAsync(DatasetRow row, ManifestRow fate, CancellationToken cancellation)
    {
        var bytes = row.ImageBytes ?? await downloader.DownloadAsync(row.ImageUrl, cancellation);
        var header = ImageReader.Identify(bytes, options.ImageLimits);
        // A picture that looks whole may still be damaged inside, which only decoding shows.
        using (ImageReader.Read(bytes, options.ImageLimits))
        {
        }
        var sha = SHA256.HashData(bytes.Span);
        var name = Convert.ToHexStringLower(sha);
        await container.GetBlobClient(dataset.Blobs.Image(name))
            .CreateAsync(BinaryData.FromBytes(bytes).ToStream(), header.MediaType, cancellation);
        return fate with
        {
            State = RowState.Stored,
            Split = _splits.SplitOf(unit.Split, row.Product, sha),
            Sha256 = name,
            Bytes = bytes.Length,
            Width = header.Width,
            Height = header.Height,
        };
    }
}

using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// The activities that turn a Hub dataset into training shards. Each may run more than once: what is there already stays as it is and
/// is not made again. Duplicates are found within a unit, not across units.
/// </summary>
public sealed class DatasetIngestion : IDisposable
{
    private readonly HubClient _hub;
    private readonly BlobContainerClient _container;
    private readonly ImageDownloader _downloader;
    private readonly IngestionOptions _options;
    private readonly ManifestStore _manifests;

    /// <param name="hub">Where datasets come from.</param>
    /// <param name="blobs">Where they go; the container <see cref="Containers.Datasets"/> must exist.</param>
    /// <param name="options">The defaults when left out.</param>
    /// <param name="time">The system's when left out.</param>
    public DatasetIngestion(HubClient hub, BlobServiceClient blobs, IngestionOptions? options = null, TimeProvider? time = null)
    {
        _hub = hub;
        _container = blobs.GetBlobContainerClient(Containers.Datasets);
        _options = options ?? new IngestionOptions();
        _downloader = new ImageDownloader(_options, time ?? TimeProvider.System);
        _manifests = new ManifestStore(_container);
    }

    public void Dispose() => _downloader.Dispose();

    /// <summary>Pins the dataset's commit, checks the mapped columns, and cuts the rows into units. Stores nothing.</summary>
    /// <exception cref="RequestException">The repository, revision, configuration or a column does not exist or does not fit.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public Task<ResolvedDataset> ResolveAsync(DatasetRequest request, CancellationToken cancellation = default) =>
        new DatasetResolver(_hub, _options).ResolveAsync(request, cancellation);

    /// <summary>Stores the images of a unit and writes its manifest, with the fate of every row.</summary>
    /// <param name="dataset">From <see cref="ResolveAsync"/>.</param>
    /// <param name="unit">One of its units.</param>
    /// <param name="progress">Told the counts so far after each row group.</param>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<UnitResult> IngestUnitAsync(ResolvedDataset dataset, IngestUnit unit, IProgress<RowCounts>? progress = null,
        CancellationToken cancellation = default)
    {
        var manifest = dataset.Blobs.Manifest(unit.Split, unit.Number);
        if (await _manifests.CountAsync(manifest, cancellation) is { } there) return new UnitResult(unit.Number, there);
        var ingestion = new UnitIngestion(dataset, unit, _container, _downloader, _options);
        var fates = new List<ManifestRow>();
        var counts = new RowCounts();
        await using var file = await _hub.OpenAsync(HubRepositoryKind.Dataset, dataset.Request.Repo, dataset.ParquetCommit, unit.File,
            cancellation);
        await foreach (var rows in ParquetRows.ReadAsync(file, dataset.Request.Columns, unit, dataset.Splits[unit.Split], cancellation))
        {
            var batch = await ingestion.IngestAsync(rows, cancellation);
            fates.AddRange(batch);
            counts = batch.Select(ManifestStore.Count).Aggregate(counts, (sum, row) => sum + row);
            progress?.Report(counts);
        }
        await _manifests.WriteAsync(manifest, fates, cancellation);
        // Another execution of this activity may have been first; what is stored is what counts.
        return new UnitResult(unit.Number, await _manifests.CountAsync(manifest, cancellation) ?? counts);
    }

    /// <summary>Writes the WebDataset shards of an ingested unit: one for each of the splits that it has samples of.</summary>
    public async Task<IReadOnlyList<ShardInfo>> PreprocessUnitAsync(ResolvedDataset dataset, IngestUnit unit,
        CancellationToken cancellation = default)
    {
        var rows = new List<ManifestRow>();
        await foreach (var row in _manifests.ReadAsync(dataset.Blobs.Manifest(unit.Split, unit.Number), cancellation))
            if (row.State == RowState.Stored) rows.Add(row);
        var writer = new ShardWriter(dataset, _container);
        var shards = new List<ShardInfo>();
        foreach (var split in rows.GroupBy(r => r.Split).OrderBy(g => g.Key, StringComparer.Ordinal))
            shards.Add(await writer.WriteAsync(split.Key, unit.Number, [.. split], cancellation));
        return shards;
    }

    /// <summary>Merges the manifests of all units into the catalog, and writes the report.</summary>
    /// <param name="dataset">From <see cref="ResolveAsync"/>.</param>
    /// <param name="shards">From <see cref="PreprocessUnitAsync"/> of all units.</param>
    /// <param name="seconds">Time the ingestion took, for the report.</param>
    /// <param name="cancellation">Stops it.</param>
    public async Task<IngestReport> WriteCatalogAsync(ResolvedDataset dataset, IReadOnlyList<ShardInfo> shards, double seconds,
        CancellationToken cancellation = default)
    {
        var reportBlob = _container.GetBlobClient(dataset.Blobs.Report);
        if (await ReadReportAsync(reportBlob, cancellation) is { } there) return there;
        var counts = new RowCounts();
        var splits = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var categories = new SortedDictionary<string, long>(StringComparer.Ordinal);
        await using var csv = TemporaryFile.Create();
        await using var parquet = TemporaryFile.Create();
        await using (var catalog = await CatalogWriter.CreateAsync(csv, parquet))
        {
            foreach (var unit in dataset.Units)
            {
                var rows = new List<ManifestRow>();
                await foreach (var row in _manifests.ReadAsync(dataset.Blobs.Manifest(unit.Split, unit.Number), cancellation))
                    rows.Add(row);
                await catalog.AddAsync(rows);
                counts = rows.Select(ManifestStore.Count).Aggregate(counts, (sum, row) => sum + row);
                foreach (var row in rows.Where(r => r.State == RowState.Stored))
                {
                    splits[row.Split] = splits.GetValueOrDefault(row.Split) + 1;
                    if (row.Category is not null) categories[row.Category] = categories.GetValueOrDefault(row.Category) + 1;
                }
            }
        }
        (csv.Position, parquet.Position) = (0, 0);
        await _container.GetBlobClient(dataset.Blobs.CatalogCsv).CreateAsync(csv, "text/csv", cancellation);
        await _container.GetBlobClient(dataset.Blobs.CatalogParquet).CreateAsync(parquet, "application/vnd.apache.parquet", cancellation);
        var report = new IngestReport
        {
            Repo = dataset.Request.Repo,
            Commit = dataset.Commit,
            View = dataset.View,
            Counts = counts,
            Splits = splits,
            Categories = categories,
            Shards = [.. shards.OrderBy(s => s.Blob, StringComparer.Ordinal)],
            Seconds = seconds,
        };
        await reportBlob.CreateAsync(new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(report, PipelineJson.Options)),
            "application/json", cancellation);
        return await ReadReportAsync(reportBlob, cancellation) ?? report;
    }

    private static async Task<IngestReport?> ReadReportAsync(BlobClient blob, CancellationToken cancellation)
    {
        try
        {
            var content = await blob.DownloadContentAsync(cancellation);
            return JsonSerializer.Deserialize<IngestReport>(content.Value.Content, PipelineJson.Options);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }
}

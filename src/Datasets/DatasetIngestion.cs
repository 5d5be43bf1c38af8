using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Activities that turn a dataset of the Hub or of blob storage into training shards, in the order of their calls. Each is idempotent: it
/// may run more than once and stop anywhere, and blobs that exist are neither changed nor written again.
/// </summary>
public sealed class DatasetIngestion : IDisposable
{
    private const int ReadAhead = 4 * 1024 * 1024;

    private readonly HubFileCopy _copy;
    private readonly BlobContainerClient _container;
    private readonly ImageDownloader _downloader;
    private readonly IngestionOptions _options;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _decoding = new(Environment.ProcessorCount);
    private readonly RowGroupMemory _memory;
    private readonly PlanStore _plans;
    private readonly DatasetLookup _lookup;
    private readonly DatasetResolver _resolver;
    private readonly DatasetInspector _inspector;
    private readonly ManifestStore _manifests;
    private readonly CorrectionReader _corrections;

    /// <param name="hub">Client of the Hub that datasets are read from.</param>
    /// <param name="blobs">Storage account that datasets are written to; the container <see cref="Containers.Datasets"/> must
    /// exist.</param>
    /// <param name="options">Settings; the defaults when left out.</param>
    /// <param name="time">Clock; the system's when left out.</param>
    public DatasetIngestion(HubClient hub, BlobServiceClient blobs, IngestionOptions? options = null, TimeProvider? time = null)
    {
        _copy = new HubFileCopy(hub);
        _container = blobs.GetBlobContainerClient(Containers.Datasets);
        _options = options ?? new IngestionOptions();
        _time = time ?? TimeProvider.System;
        _downloader = new ImageDownloader(_options, _time);
        _memory = new RowGroupMemory(_options.RowGroupMemory);
        _plans = new PlanStore(_container);
        _lookup = new DatasetLookup(hub, blobs, _container, _options.ImageLimits.MaxBytes);
        _resolver = new DatasetResolver(_lookup, _plans, _options);
        _inspector = new DatasetInspector(_lookup);
        _manifests = new ManifestStore(_container);
        _corrections = new CorrectionReader(blobs, _options.ImageLimits.MaxBytes);
    }

    public void Dispose()
    {
        _downloader.Dispose();
        _memory.Dispose();
        _decoding.Dispose();
    }

    /// <summary>Inspects a dataset's structure and the column mapping that ingestion would use, without storing anything.</summary>
    /// <exception cref="RequestException">The repository, revision or configuration does not exist, or columns of the request are missing
    /// or have unsuitable types.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public Task<DatasetInspection> InspectAsync(DatasetRequest request, CancellationToken cancellationToken = default) =>
        _inspector.InspectAsync(Named(request), cancellationToken);

    /// <summary>Validates a request against the schema of one file of the dataset, without storing anything.</summary>
    /// <returns>The request with the commit that its revision resolves to, and with a name when it has none.</returns>
    /// <exception cref="RequestException">The repository, container, revision, configuration or a column does not exist, or a column has an
    /// unsuitable type.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public Task<DatasetRequest> CheckAsync(DatasetRequest request, CancellationToken cancellationToken = default) =>
        _resolver.CheckAsync(Named(request), cancellationToken);

    /// <summary>Lists the tables of a dataset that have to be converted to Parquet before it is resolved; empty for none.</summary>
    /// <exception cref="RequestException">As <see cref="CheckAsync"/>.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public Task<IReadOnlyList<SourceTable>> FindTablesAsync(DatasetRequest request, CancellationToken cancellationToken = default) =>
        _resolver.FindTablesAsync(Named(request), cancellationToken);

    /// <summary>Converts a table to Parquet in blob storage, once for the same content.</summary>
    /// <exception cref="RequestException">The table was changed since it was listed, or is of another form than its name says.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task ConvertTableAsync(DatasetRequest request, SourceTable table, CancellationToken cancellationToken = default)
    {
        var named = Named(request);
        var blob = _container.GetBlobClient(new DatasetBlobs(named.Repo, named.Revision, "").File(table.Converted.Sha256!));
        if (await blob.ExistsAsync(cancellationToken)) return;
        var source = _lookup.FilesOf(named, named.Revision, asOf: null);
        await using var parquet = TemporaryFile.Create();
        await new ParquetConversion(source, named.Config, _options.ImageLimits.MaxBytes)
            .WriteAsync(table, parquet, mostRows: null, cancellationToken);
        parquet.Position = 0;
        await blob.CreateAsync(parquet, "application/vnd.apache.parquet", cancellationToken);
    }

    /// <summary>
    /// Pins the dataset's commit, checks the mapped columns, and plans the units. Tables of <see cref="FindTablesAsync"/> must have been
    /// converted.
    /// </summary>
    /// <exception cref="RequestException">The repository, revision, configuration or a column does not exist, or a column has an unsuitable
    /// type.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<ResolvedDataset> ResolveAsync(DatasetRequest request, CancellationToken cancellationToken = default)
    {
        var plan = await _resolver.ResolveAsync(Named(request), cancellationToken);
        return plan.Resolved(await _container.GetBlobClient(plan.Blobs.Report).ReadJsonAsync<IngestReport>(cancellationToken));
    }

    /// <summary>Copies a file of the dataset to blob storage and verifies its checksum; a converted table is there already.</summary>
    /// <param name="file">Index of the file in the plan.</param>
    /// <returns>The file's size in bytes.</returns>
    /// <exception cref="HubException">The Hub cannot be reached, or sends content with another checksum.</exception>
    public async Task<long> FetchFileAsync(DatasetBlobs dataset, int file, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var planned = plan.Files[file];
        if (planned.IsConverted) return planned.Hub.Size;
        var blob = _container.GetBlockBlobClient(dataset.File(planned.ContentId));
        await _copy.CopyAsync(HubRepositoryKind.Dataset, dataset.Repo, plan.ParquetCommit, planned.Hub, blob,
            cancellationToken: cancellationToken);
        return planned.Hub.Size;
    }

    /// <summary>
    /// Stores the images of a unit, whose file must have been fetched, and writes the unit's manifest with the status of each row.
    /// </summary>
    /// <param name="unit">Number of the unit.</param>
    public async Task<RowCounts> IngestUnitAsync(DatasetBlobs dataset, int unit, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var work = plan.Units[unit];
        if (await _manifests.CountAsync(dataset.Manifest(work.Split, work.Number), cancellationToken) is { } there) return there;
        using var memory = await _memory.TakeAsync(work, cancellationToken);
        var blob = _container.GetBlobClient(dataset.File(plan.Files.First(file => file.Hub.Path == work.File).ContentId));
        await using var file =
            await blob.OpenReadAsync(new BlobOpenReadOptions(allowModifications: false) { BufferSize = ReadAhead }, cancellationToken);
        var images = plan.Request.Images == ImageUse.First ? 1 : plan.Request.MaxImages;
        var rows = ParquetRows.ReadAsync(file, plan.Columns, work, plan.Splits[work.Split], images, cancellationToken);
        return await IngestAsync(plan, work, rows, cancellationToken);
    }

    /// <summary>
    /// Ingests the corrections of uploaded images, as they are now, into shards of their own. The same corrections are ingested once.
    /// </summary>
    /// <param name="dataset">The dataset that the corrections are trained with, whose rule of splits they follow.</param>
    public async Task<IngestReport> IngestCorrectionsAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default)
    {
        var started = _time.GetTimestamp();
        var corrections = await _corrections.ListAsync(cancellationToken);
        var plan = await _plans.KeepAsync(
            CorrectionPlan.Of(corrections, await _plans.ReadAsync(dataset, cancellationToken), _options.UnitRows), cancellationToken);
        var resolved = plan.Resolved(await _container.GetBlobClient(plan.Blobs.Report).ReadJsonAsync<IngestReport>(cancellationToken));
        if (resolved.Report is { } there) return there;
        foreach (var unit in plan.Units)
        {
            if (await _manifests.CountAsync(plan.Blobs.Manifest(unit.Split, unit.Number), cancellationToken) is null)
                await IngestAsync(plan, unit, ReadAsync(corrections, plan, unit, cancellationToken), cancellationToken);
        }
        var summary = await WriteCatalogAsync(plan.Blobs, cancellationToken);
        for (var shard = 0; shard < resolved.Shards; shard++) await PreprocessAsync(plan.Blobs, shard, cancellationToken);
        return await WriteReportAsync(plan.Blobs, summary, _time.GetElapsedTime(started).TotalSeconds, cancellationToken);
    }

    /// <summary>Reads the progress of a dataset's units.</summary>
    public Task<IngestProgress> ReadProgressAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default) =>
        _manifests.ProgressAsync(dataset, cancellationToken);

    /// <summary>Merges the manifests of all units, which must exist, into the catalog and marks duplicate rows.</summary>
    public async Task<CatalogSummary> WriteCatalogAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var duplicates = new DuplicateRows(_container, dataset);
        var summary = new CatalogSummaryBuilder(plan.Columns);
        await using var csv = TemporaryFile.Create();
        await using var parquet = TemporaryFile.Create();
        await using (var catalog = await CatalogWriter.CreateAsync(csv, parquet, dataset, plan.Columns))
        {
            foreach (var unit in plan.Units)
            {
                var rows = await _manifests.ReadAsync(dataset.Manifest(unit.Split, unit.Number), cancellationToken)
                    .ToListAsync(cancellationToken);
                var marked = await duplicates.MarkAsync(unit, rows, cancellationToken);
                summary.Add(marked);
                await catalog.AddAsync(marked);
            }
        }
        (csv.Position, parquet.Position) = (0, 0);
        await _container.GetBlobClient(dataset.CatalogCsv).CreateAsync(csv, "text/csv", cancellationToken);
        await _container.GetBlobClient(dataset.CatalogParquet).CreateAsync(parquet, "application/vnd.apache.parquet", cancellationToken);
        return summary.Result;
    }

    /// <summary>
    /// Writes training shards from the usable rows of consecutive units: one shard for each split that has such rows. With
    /// <see cref="ImageUse.Prompt"/> those of these rows that have the same product are merged.
    /// </summary>
    /// <param name="shard">Number of the shard.</param>
    public async Task PreprocessAsync(DatasetBlobs dataset, int shard, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var duplicates = new DuplicateRows(_container, dataset);
        var rows = new List<ManifestRow>();
        foreach (var unit in plan.Units.Skip(shard * plan.UnitsPerShard).Take(plan.UnitsPerShard))
        {
            var repeated = await duplicates.ReadAsync(unit, cancellationToken);
            await foreach (var row in _manifests.ReadAsync(dataset.Manifest(unit.Split, unit.Number), cancellationToken))
                if (row.State == RowState.Stored && !repeated.Contains(row.Row)) rows.Add(row);
        }
        var writer = new ShardWriter(dataset, _container);
        foreach (var split in rows.GroupBy(row => row.Split).OrderBy(group => group.Key, StringComparer.Ordinal))
            await writer.WriteAsync(split.Key, shard, [.. SampleRow.Of(split, plan.Request)], cancellationToken);
    }

    /// <summary>Writes the list of shards and then the report, whose presence means that the dataset is complete.</summary>
    /// <param name="summary">Summary returned by <see cref="WriteCatalogAsync"/>.</param>
    /// <param name="seconds">Seconds that the ingestion took, for the report.</param>
    /// <param name="cancellationToken">Cancels the writes.</param>
    public async Task<IngestReport> WriteReportAsync(DatasetBlobs dataset, CatalogSummary summary, double seconds,
        CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var shards = await new ShardWriter(dataset, _container).ListAsync(cancellationToken);
        await _container.GetBlobClient(dataset.ShardList).CreateJsonAsync(shards, PipelineJson.Options, cancellationToken);
        var report = _container.GetBlobClient(dataset.Report);
        await report.CreateJsonAsync(new IngestReport
        {
            Repo = dataset.Repo,
            Commit = dataset.Commit,
            View = dataset.View,
            Columns = plan.Columns,
            Counts = summary.Counts,
            Splits = shards.GroupBy(shard => shard.Split).OrderBy(split => split.Key, StringComparer.Ordinal)
                .ToDictionary(split => split.Key, split => split.Sum(shard => (long)shard.Samples)),
            MergedRows = plan.Request.Images == ImageUse.Prompt ? summary.Counts.Stored - shards.Sum(shard => (long)shard.Samples) : 0,
            Categories = summary.Categories,
            CategoryCount = summary.CategoryCount,
            Prices = summary.Prices,
            Fields = summary.Fields,
            LongerSides = summary.LongerSides,
            FileSizes = summary.FileSizes,
            Seconds = seconds,
        }, PipelineJson.Options, cancellationToken);
        return (await report.ReadJsonAsync<IngestReport>(cancellationToken))!;
    }

    /// <summary>Reads the list of training shards of a complete dataset.</summary>
    public async Task<IReadOnlyList<ShardInfo>> ReadShardsAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default) =>
        await _container.GetBlobClient(dataset.ShardList).ReadJsonAsync<IReadOnlyList<ShardInfo>>(cancellationToken)
        ?? throw new InvalidOperationException($"{Containers.Datasets}/{dataset.ShardList} is gone; ingest the dataset again");

    private static DatasetRequest Named(DatasetRequest request) =>
        request is { Source: { } source, Repo.Length: 0 } ? request with { Repo = ContainerFiles.RepoOf(source) } : request;

    /// <summary>Stores the images of a unit and writes its manifest.</summary>
    /// <param name="rows">The unit's rows in batches.</param>
    private async Task<RowCounts> IngestAsync(
        IngestPlan plan, IngestUnit unit, IAsyncEnumerable<IReadOnlyList<DatasetRow>> rows, CancellationToken cancellationToken)
    {
        var images = new ImageStore(_container, plan.Blobs, _options.ImageLimits, _decoding);
        var statuses = new List<ManifestRow>();
        await using (var progress = new UnitProgress(
            (counts, token) => _manifests.NoteAsync(plan.Blobs, unit, counts, token), _time, cancellationToken))
        {
            var source = new DatasetImages(_downloader, _lookup.FilesOf(plan.Request, plan.Commit, plan.AsOf), plan, unit.File);
            var ingestion = new UnitIngestion(plan, unit, images, source, progress, _options);
            await foreach (var batch in rows.WithCancellation(cancellationToken))
                statuses.AddRange(await ingestion.IngestAsync(batch, cancellationToken));
        }
        var manifest = plan.Blobs.Manifest(unit.Split, unit.Number);
        await _manifests.WriteAsync(manifest, statuses, cancellationToken);
        await _manifests.ForgetAsync(plan.Blobs, unit, cancellationToken);
        // A concurrent execution of this activity may have written the manifest first; the counts of the stored manifest are the valid
        // ones.
        return (await _manifests.CountAsync(manifest, cancellationToken))!;
    }

    private async IAsyncEnumerable<IReadOnlyList<DatasetRow>> ReadAsync(
        IReadOnlyList<CorrectedImage> corrections, IngestPlan plan, IngestUnit unit,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (rows, further) = (Enumerable.Range((int)unit.Start, (int)unit.Count), plan.Columns.Further);
        foreach (var batch in rows.Chunk(_options.Concurrency))
            yield return await Task.WhenAll(batch.Select(row => _corrections.ReadAsync(corrections[row], row, further, cancellationToken)));
    }
}

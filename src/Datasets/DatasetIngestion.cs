using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
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
    private const int FootersKept = 4;

    private readonly HubFileCopy _copy;
    private readonly BlobContainerClient _container;
    private readonly ImageDownloader _downloader;
    private readonly IngestionOptions _options;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _decoding = new(Environment.ProcessorCount);
    private readonly SemaphoreSlim _slots;
    private readonly RowGroupMemory _memory;
    private readonly Latest<ParquetFooter> _footers = new(FootersKept);
    private readonly PlanStore _plans;
    private readonly DatasetLookup _lookup;
    private readonly DatasetResolver _resolver;
    private readonly RetryPlanner _retries;
    private readonly DatasetInspector _inspector;
    private readonly ManifestStore _manifests;
    private readonly DatasetCatalog _catalog;
    private readonly ReportStore _reports;
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
        _slots = new SemaphoreSlim(_options.UnitsPerInstance);
        _memory = new RowGroupMemory(_options.RowGroupMemory);
        _plans = new PlanStore(_container);
        _lookup = new DatasetLookup(hub, blobs, _container, _options.ImageLimits.MaxBytes);
        _resolver = new DatasetResolver(_lookup, _plans, _options);
        _reports = new ReportStore(_container);
        _retries = new RetryPlanner(_plans, _reports);
        _inspector = new DatasetInspector(_lookup);
        _manifests = new ManifestStore(_container);
        _catalog = new DatasetCatalog(_container, _plans, _manifests);
        _corrections = new CorrectionReader(blobs, _options.ImageLimits.MaxBytes);
    }

    public void Dispose()
    {
        _downloader.Dispose();
        _slots.Dispose();
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
    /// <exception cref="RequestException">The repository, container, revision, configuration or a column does not exist, or a column has an
    /// unsuitable type.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public Task<CheckedDataset> CheckAsync(DatasetRequest request, CancellationToken cancellationToken = default) =>
        _resolver.CheckAsync(Named(request), cancellationToken);

    /// <summary>Plans a new view of a complete one, in which rejected rows are read again and all others are taken as they are.</summary>
    /// <param name="reasons">Reasons whose rows are read again, each one of <see cref="Rejection"/>.</param>
    /// <returns>The request that ingests the new view.</returns>
    /// <exception cref="RequestException">There is no such view, it is not complete, or it has no such rows.</exception>
    public async Task<DatasetRequest> RetryAsync(
        DatasetBlobs dataset, IReadOnlyList<string> reasons, CancellationToken cancellationToken = default)
    {
        var plan = await _retries.PlanAsync(dataset, reasons, cancellationToken);
        return new DatasetRequest { Repo = dataset.Repo, Revision = dataset.Commit, View = plan.View };
    }

    /// <summary>Finds the tables of a dataset that have to be converted to Parquet before it is resolved, and keeps their list.</summary>
    /// <exception cref="RequestException">As <see cref="CheckAsync"/>.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<TablesToConvert> FindTablesAsync(DatasetRequest request, CancellationToken cancellationToken = default)
    {
        var (dataset, tables) = await _resolver.FindTablesAsync(Named(request), cancellationToken);
        return new TablesToConvert(dataset, tables, _options.UnitsAtOnce, _options.InstancesForUnits);
    }

    /// <summary>Converts a table to Parquet in blob storage, once for the same content.</summary>
    /// <param name="number">Number of the table among those found.</param>
    /// <exception cref="RequestException">The table was changed since it was listed, or is of another form than its name says.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task ConvertTableAsync(DatasetBlobs dataset, int number, CancellationToken cancellationToken = default)
    {
        var (request, table) = await _plans.TableAsync(dataset, number, cancellationToken);
        var blob = _container.GetBlobClient(dataset.File(table.Converted.Sha256!));
        if (await blob.ExistsAsync(cancellationToken)) return;
        using var slot = await _slots.TakeAsync(cancellationToken);
        var source = _lookup.FilesOf(request, dataset.Commit, asOf: null);
        await using var parquet = TemporaryFile.Create();
        await new ParquetConversion(source, request.Config, _options.ImageLimits.MaxBytes)
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
        return plan.Resolved(await _reports.FindAsync(plan.Blobs, cancellationToken)) with
        {
            UnitsAtOnce = _options.UnitsAtOnce,
            Instances = _options.InstancesForUnits,
        };
    }

    /// <summary>
    /// Copies a file of the dataset to blob storage and verifies its checksum; does nothing when no row of it is taken, and for a converted
    /// table, which is there already.
    /// </summary>
    /// <param name="file">Number of the file in the plan.</param>
    /// <returns>The file's units.</returns>
    /// <exception cref="HubException">The Hub cannot be reached, or sends content with another checksum.</exception>
    public async Task<FileUnits> FetchFileAsync(DatasetBlobs dataset, int file, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var planned = await _plans.FileAsync(plan, file, cancellationToken);
        var units = new FileUnits(planned.FirstUnit, planned.Units);
        if (units.Count == 0 || planned.IsConverted) return units;
        var blob = _container.GetBlockBlobClient(dataset.File(planned.ContentId));
        await _copy.CopyAsync(HubRepositoryKind.Dataset, dataset.Repo, plan.ParquetCommit, planned.Hub, blob,
            cancellationToken: cancellationToken);
        return units;
    }

    /// <summary>
    /// Stores the images of a unit, whose file must have been fetched, and writes the unit's manifest with the status of each row.
    /// </summary>
    /// <param name="unit">Number of the unit.</param>
    public async Task<RowCounts> IngestUnitAsync(DatasetBlobs dataset, int unit, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var work = await _plans.UnitsAsync(plan, unit, 1, cancellationToken).SingleAsync(cancellationToken);
        if (await _manifests.CountAsync(dataset.Manifest(work.Split, work.Number), cancellationToken) is { } there) return there;
        using var slot = await _slots.TakeAsync(cancellationToken);
        var retry = plan.Retry is null ? null : new UnitRetry(await _manifests
            .ReadAsync((dataset with { View = plan.Retry.View }).Manifest(work.Split, work.Number), cancellationToken)
            .ToListAsync(cancellationToken), plan.Retry);
        if (retry is { IsEmpty: true })
            return await IngestAsync(plan, work, AsyncEnumerable.Empty<IReadOnlyList<DatasetRow>>(), cancellationToken, retry);
        using var memory = await _memory.TakeAsync(work, cancellationToken);
        var content = (await _plans.FileAsync(plan, work.FileNumber, cancellationToken)).ContentId;
        await using var file = await _container.GetBlobClient(dataset.File(content)).OpenRangesAsync(cancellationToken);
        var footer = (await _footers.FindAsync(content, async () => await ParquetFooter.ReadAsync(file, cancellationToken)))!;
        var (groups, workOfGroups) = footer.Cut(file, retry?.PartOf(work) ?? work);
        var images = plan.Request.Images == ImageUse.First ? 1 : plan.Request.MaxImages;
        var rows = ParquetRows.ReadAsync(groups, plan.Columns, workOfGroups, plan.Splits[work.Split], images, cancellationToken);
        if (retry is not null) rows = rows.Select(IReadOnlyList<DatasetRow> (batch) => [.. batch.Where(row => retry.Reads(row.Row))]);
        return await IngestAsync(plan, work, rows, cancellationToken, retry);
    }

    /// <summary>
    /// Ingests the corrections of uploaded images, as they are now, into shards of their own. The same corrections are ingested once.
    /// </summary>
    /// <param name="dataset">The dataset that the corrections are trained with, whose rule of splits they follow.</param>
    public async Task<IngestReport> IngestCorrectionsAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default)
    {
        var started = _time.GetTimestamp();
        var corrections = await _corrections.ListAsync(cancellationToken);
        var (planned, units) = CorrectionPlan.Of(corrections, await _plans.ReadAsync(dataset, cancellationToken), _options.UnitRows);
        var plan = await _plans.KeepAsync(planned, [], units, cancellationToken);
        if (await _reports.FindAsync(plan.Blobs, cancellationToken) is { } there) return there;
        foreach (var unit in units)
        {
            if (await _manifests.CountAsync(plan.Blobs.Manifest(unit.Split, unit.Number), cancellationToken) is null)
                await IngestAsync(plan, unit, ReadAsync(corrections, plan, unit, cancellationToken), cancellationToken);
        }
        await WriteCatalogAsync(plan.Blobs, cancellationToken);
        for (var shard = 0; shard < plan.Shards; shard++) await PreprocessAsync(plan.Blobs, shard, cancellationToken);
        return await WriteReportAsync(plan.Blobs, _time.GetElapsedTime(started).TotalSeconds, cancellationToken);
    }

    /// <summary>Reads the progress of a dataset's units.</summary>
    public Task<IngestProgress> ReadProgressAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default) =>
        _manifests.ProgressAsync(dataset, cancellationToken);

    /// <summary>Writes the catalog of a dataset, whose units must all have manifests: all steps that follow.</summary>
    public async Task<RowCounts> WriteCatalogAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        for (var part = 0; part < plan.CatalogParts; part++) await WriteKeysAsync(dataset, part, cancellationToken);
        for (var partition = 0; partition < plan.KeyPartitions; partition++)
            await FindDuplicatesAsync(dataset, partition, cancellationToken);
        for (var part = 0; part < plan.CatalogParts; part++) await WriteCatalogAsync(dataset, part, cancellationToken);
        return await MergeCatalogAsync(dataset, cancellationToken);
    }

    /// <summary>Writes the keys by which the rows of a part of the catalog are compared with all others.</summary>
    public async Task WriteKeysAsync(DatasetBlobs dataset, int part, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        using var slot = await _slots.TakeAsync(cancellationToken);
        await _catalog.WriteKeysAsync(plan, part, cancellationToken);
    }

    /// <summary>
    /// Finds duplicate rows, and rows of the same product where these are merged, among those of a partition of the keys, which all parts
    /// must have written.
    /// </summary>
    public async Task FindDuplicatesAsync(DatasetBlobs dataset, int partition, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        using var slot = await _slots.TakeAsync(cancellationToken);
        await _catalog.FindDuplicatesAsync(plan, partition, cancellationToken);
    }

    /// <summary>
    /// Writes a part of the catalog and its summary, with the duplicate and merged rows that were found in all partitions.
    /// </summary>
    public async Task WriteCatalogAsync(DatasetBlobs dataset, int part, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        using var slot = await _slots.TakeAsync(cancellationToken);
        await _catalog.WriteAsync(plan, part, cancellationToken);
    }

    /// <summary>Merges the summaries of all parts of the catalog; returns the dataset's row counts.</summary>
    public async Task<RowCounts> MergeCatalogAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default) =>
        await _catalog.MergeAsync(await _plans.ReadAsync(dataset, cancellationToken), cancellationToken);

    /// <summary>
    /// Writes training shards from the usable rows of consecutive units: one shard for each split that has samples. The catalog must have
    /// been written.
    /// </summary>
    /// <param name="shard">Number of the shard.</param>
    public async Task PreprocessAsync(DatasetBlobs dataset, int shard, CancellationToken cancellationToken = default)
    {
        var plan = await _plans.ReadAsync(dataset, cancellationToken);
        var (duplicates, products) = (new DuplicateRows(_container, dataset), new ProductRows(_container, dataset));
        var samples = new List<SampleRow>();
        using var slot = await _slots.TakeAsync(cancellationToken);
        await foreach (var unit in _plans.UnitsAsync(plan, shard * plan.UnitsPerShard, plan.UnitsPerShard, cancellationToken))
        {
            var repeated = await duplicates.ReadAsync(unit, cancellationToken);
            var merged = await products.ReadAsync(unit, cancellationToken);
            await foreach (var row in _manifests.ReadAsync(dataset.Manifest(unit.Split, unit.Number), cancellationToken))
            {
                if (row.State == RowState.Stored && !repeated.Contains(row.Row))
                    samples.AddRange(SampleRow.Of(row, plan.Request, merged.GetValueOrDefault(row.Row)));
            }
        }
        var writer = new ShardWriter(dataset, _container);
        foreach (var split in samples.GroupBy(sample => sample.Row.Split).OrderBy(group => group.Key, StringComparer.Ordinal))
            await writer.WriteAsync(split.Key, shard, [.. split], cancellationToken);
    }

    /// <summary>Writes the list of shards and then the report, whose presence means that the dataset is complete.</summary>
    /// <param name="seconds">Seconds that the ingestion took, for the report.</param>
    /// <param name="cancellationToken">Cancels the writes.</param>
    public async Task<IngestReport> WriteReportAsync(
        DatasetBlobs dataset, double seconds, CancellationToken cancellationToken = default) =>
        await _reports.WriteAsync(await _plans.ReadAsync(dataset, cancellationToken), seconds, cancellationToken);

    /// <summary>Reads the list of training shards of a complete dataset.</summary>
    public Task<IReadOnlyList<ShardInfo>> ReadShardsAsync(DatasetBlobs dataset, CancellationToken cancellationToken = default) =>
        _container.GetBlobClient(dataset.ShardList).RequireJsonAsync<IReadOnlyList<ShardInfo>>(cancellationToken);

    private static DatasetRequest Named(DatasetRequest request) =>
        request is { Source: { } source, Repo.Length: 0 } ? request with { Repo = ContainerFiles.RepoOf(source) } : request;

    /// <summary>Stores the images of a unit and writes its manifest.</summary>
    /// <param name="rows">The unit's rows in batches.</param>
    /// <param name="retry">The unit's retry, whose rows are read only; null when all rows are read.</param>
    private async Task<RowCounts> IngestAsync(IngestPlan plan, IngestUnit unit, IAsyncEnumerable<IReadOnlyList<DatasetRow>> rows,
        CancellationToken cancellationToken, UnitRetry? retry = null)
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
        await _manifests.WriteAsync(manifest, retry?.Merge(statuses) ?? statuses, cancellationToken, retry?.Count(statuses));
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

using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>
/// Plan for ingesting a view of a dataset: <c>plan.json</c>, written once, after its files and units, which are stored in parts of
/// <see cref="PartSize"/>. Activities read what they need of the plan from storage; durable state holds only <see cref="ResolvedDataset"/>.
/// </summary>
public sealed record IngestPlan
{
    /// <summary>Number of tables, files or units in a part of the plan.</summary>
    public const int PartSize = 250;

    public required DatasetRequest Request { get; init; }

    /// <summary>Columns to read: the request's, or guessed.</summary>
    public required ColumnMapping Columns { get; init; }

    /// <summary>Reasons for the guessed columns; null when the request names the columns.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>The pinned commit of the dataset.</summary>
    public required string Commit { get; init; }

    /// <summary>The commit of the Parquet files: of the Hub's converted form, or the dataset's own.</summary>
    public required string ParquetCommit { get; init; }

    /// <summary>
    /// Time of the last change of a file of the dataset, images changed after which are not read; null where a commit pins the content,
    /// and for a retry, which reads images as they are now.
    /// </summary>
    public DateTimeOffset? AsOf { get; init; }

    /// <summary>The dataset's configuration.</summary>
    public required string Config { get; init; }

    /// <summary>Short hash of everything but the commit that determines the result.</summary>
    public required string View { get; init; }

    /// <summary>Rows of each of the dataset's own splits, before and after <see cref="DatasetRequest.MaxRows"/>.</summary>
    public required IReadOnlyDictionary<string, SplitRows> Splits { get; init; }

    /// <summary>Number of files.</summary>
    public required int Files { get; init; }

    /// <summary>Number of units; they are in the order of their files.</summary>
    public required int Units { get; init; }

    /// <summary>Number of consecutive units whose rows share a training shard.</summary>
    public required int UnitsPerShard { get; init; }

    /// <summary>
    /// Number of units in a part of the catalog: about 250,000 rows, which an activity reads in half a minute and writes into temporary
    /// files of some 100 MB.
    /// </summary>
    public int CatalogPartUnits { get; init; } = 1000;

    /// <summary>
    /// Number of rows whose keys are compared by one activity, in some 10 MB of memory; of fewer rows where their images are merged.
    /// </summary>
    public int PartitionRows { get; init; } = 250_000;

    /// <summary>The retry that the plan is of; null for a first ingestion.</summary>
    public PlannedRetry? Retry { get; init; }

    /// <summary>Blob names of the view.</summary>
    [JsonIgnore]
    public DatasetBlobs Blobs => new(Request.Repo, Commit, View);

    /// <summary>Number of rows to read.</summary>
    [JsonIgnore]
    public long Rows => Splits.Values.Sum(split => split.Taken);

    /// <summary>Number of training shards of a split at most: the shards of all splits are made of the same units.</summary>
    [JsonIgnore]
    public int Shards => Parts(Units, UnitsPerShard);

    /// <summary>Number of parts of the catalog, at least one.</summary>
    [JsonIgnore]
    public int CatalogParts => Math.Max(1, Parts(Units, CatalogPartUnits));

    /// <summary>Number of partitions of the rows' keys, at least one.</summary>
    [JsonIgnore]
    public int KeyPartitions => (int)Math.Max(1, (Compared + PartitionRows - 1) / PartitionRows);

    /// <summary>Returns the part of the plan that durable state holds.</summary>
    /// <param name="report">Report of a complete ingestion; null when the plan has not been carried out.</param>
    public ResolvedDataset Resolved(IngestReport? report) => new()
    {
        Blobs = Blobs,
        Rows = Rows,
        Columns = Columns,
        ColumnsGuess = ColumnsGuess,
        Files = Files,
        Units = Units,
        CatalogParts = CatalogParts,
        KeyPartitions = KeyPartitions,
        Shards = Shards,
        Report = report,
    };

    // An image to merge takes as much memory as a key.
    private long Compared => Rows * (ProductRows.AreMerged(this) ? 1 + Request.MaxImages : 1);

    private static int Parts(int count, int size) => (count + size - 1) / size;
}

/// <summary>A second chance for rejected rows of a complete view of the same commit.</summary>
/// <param name="View">The complete view, whose other rows are taken as they are.</param>
/// <param name="Reasons">Reasons whose rows are read again, each one of <see cref="Rejection"/>, sorted.</param>
public sealed record PlannedRetry(string View, IReadOnlyList<string> Reasons);

/// <summary>A Parquet file of the dataset.</summary>
/// <param name="Split">The dataset's own split.</param>
/// <param name="Rows">Number of rows of the file, taken or not.</param>
/// <param name="FirstUnit">Number of the file's first unit; its units are consecutive.</param>
/// <param name="Units">Number of units of the file; 0 when none of its rows is taken.</param>
public sealed record PlannedFile(string Split, HubFileInfo Hub, long Rows, int FirstUnit, int Units)
{
    /// <summary>
    /// Content id of the file, by which blob storage names it: the SHA-256, or the git blob id where the Hub gives no SHA-256.
    /// </summary>
    [JsonIgnore]
    public string ContentId => Hub.Sha256 ?? Hub.GitOid;

    /// <summary>True for a table that was converted: its file is in blob storage, not on the Hub.</summary>
    [JsonIgnore]
    public bool IsConverted => Hub.GitOid.Length == 0;
}

/// <summary>Number of rows of a split, and number of rows taken from it.</summary>
public sealed record SplitRows(long Total, long Taken)
{
    /// <summary>
    /// True when a row is taken. Rows are taken at even distances over the complete split, as a split may be sorted by label.
    /// </summary>
    public bool Takes(long row) => Taken == Total || Place(row + 1) > Place(row);

    /// <summary>Number of rows before the given row that are taken.</summary>
    public long TakenBefore(long row) => Taken == Total ? row : Place(row);

    /// <summary>Smallest number of leading rows of the split that contain the given number of taken rows.</summary>
    public long RowsHolding(long taken) => Taken == Total ? taken : (long)((((Int128)taken * Total) + Taken - 1) / Taken);

    // ⌊row · Taken / Total⌋: row r is taken where this grows from r to r + 1.
    // RowsHolding is its inverse, ⌈taken · Total / Taken⌉. The product needs 128 bits for large splits.
    private long Place(long row) => (long)((Int128)row * Taken / Total);
}

/// <summary>Unit of ingestion: a range of row groups of one Parquet file, or some rows of one row group.</summary>
/// <param name="Number">Number of the unit among all units of the dataset, from 0.</param>
/// <param name="Split">The dataset's own split.</param>
/// <param name="File">Path of the Parquet file.</param>
/// <param name="FileStart">Index of the file's first row in its split.</param>
/// <param name="Start">Index of the unit's first row in its split.</param>
/// <param name="Count">Number of rows of the range, taken or not.</param>
/// <param name="GroupBytes">Uncompressed bytes of the unit's largest row group.</param>
public sealed record IngestUnit(int Number, string Split, string File, long FileStart, long Start, long Count, long GroupBytes = 0)
{
    /// <summary>Number of the file in the plan.</summary>
    public int FileNumber { get; init; }

    /// <summary>Number of row groups that were cut off the beginning of the file, as by <see cref="ParquetFooter.Cut"/>.</summary>
    [JsonIgnore]
    public int FirstGroup { get; init; }
}

/// <summary>Tables to convert before a dataset is resolved, as durable state holds them.</summary>
/// <param name="Dataset">The view, with whose plan storage keeps the list of the tables.</param>
/// <param name="Count">Number of tables; 0 when none has to be converted.</param>
/// <param name="UnitsAtOnce">Maximum number of tables in progress at once: as many as units.</param>
/// <param name="Instances">Number of instances of the app that <paramref name="UnitsAtOnce"/> is meant for.</param>
public sealed record TablesToConvert(DatasetBlobs Dataset, int Count, int UnitsAtOnce, int Instances);

/// <summary>Some consecutive tables to convert, and the request whose dataset they belong to.</summary>
internal sealed record PlannedTables(DatasetRequest Request, IReadOnlyList<SourceTable> Tables);

/// <summary>A resolved and planned dataset as durable state holds it: references and counts only.</summary>
public sealed record ResolvedDataset
{
    /// <summary>Blob names of the view, passed to activities as the reference to the dataset.</summary>
    public required DatasetBlobs Blobs { get; init; }

    /// <summary>Number of rows to read.</summary>
    public required long Rows { get; init; }

    public required ColumnMapping Columns { get; init; }

    /// <summary>Reasons for the guessed columns; null when the request names the columns.</summary>
    public string? ColumnsGuess { get; init; }

    public required int Files { get; init; }

    public required int Units { get; init; }

    public required int CatalogParts { get; init; }

    /// <summary>Number of partitions in which repeated rows are found.</summary>
    public required int KeyPartitions { get; init; }

    /// <summary>Maximum number of training shards per split.</summary>
    public required int Shards { get; init; }

    /// <summary>Maximum number of units in progress at once, fixed when the ingestion starts.</summary>
    public int UnitsAtOnce { get; init; } = 1;

    /// <summary>Number of instances of the app that <see cref="UnitsAtOnce"/> is meant for.</summary>
    public int Instances { get; init; } = 1;

    /// <summary>Report of a complete earlier ingestion; null when there is none.</summary>
    public IngestReport? Report { get; init; }
}

/// <summary>Range of the consecutive units of one file.</summary>
public sealed record FileUnits(int First, int Count);

/// <summary>
/// Reads and writes plans in blob storage; caches the latest plans and parts of plans, which never change. A plan of ten million rows has
/// 5 MB: an activity reads the 30 kB with its unit.
/// </summary>
internal sealed class PlanStore(BlobContainerClient container)
{
    private const int PlansKept = 4;
    private const int PartsKept = 16;

    private readonly Latest<IngestPlan> _plans = new(PlansKept);
    private readonly Latest<PlannedTables> _tables = new(PartsKept);
    private readonly Latest<IReadOnlyList<PlannedFile>> _files = new(PartsKept);
    private readonly Latest<IReadOnlyList<IngestUnit>> _units = new(PartsKept);

    /// <summary>Finds the plan of a view; null when there is none yet.</summary>
    public Task<IngestPlan?> FindAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        FindAsync(_plans, dataset.Plan, cancellationToken);

    /// <summary>Reads the plan of a resolved view.</summary>
    public Task<IngestPlan> ReadAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        ReadAsync(_plans, dataset.Plan, cancellationToken);

    /// <summary>Reads a table to convert, and the request whose dataset it belongs to.</summary>
    public async Task<(DatasetRequest Request, SourceTable Table)> TableAsync(
        DatasetBlobs dataset, int table, CancellationToken cancellationToken)
    {
        var part = await ReadAsync(_tables, dataset.PlannedTables(table / IngestPlan.PartSize), cancellationToken);
        return (part.Request, part.Tables[table % IngestPlan.PartSize]);
    }

    /// <summary>Reads a file of a plan.</summary>
    public async Task<PlannedFile> FileAsync(IngestPlan plan, int file, CancellationToken cancellationToken) =>
        (await ReadAsync(_files, plan.Blobs.PlannedFiles(file / IngestPlan.PartSize), cancellationToken))[file % IngestPlan.PartSize];

    /// <summary>Reads all files of a plan.</summary>
    public async IAsyncEnumerable<PlannedFile> FilesAsync(IngestPlan plan, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var file = 0; file < plan.Files; file++) yield return await FileAsync(plan, file, cancellationToken);
    }

    /// <summary>Reads consecutive units of a plan, as many as there are.</summary>
    public async IAsyncEnumerable<IngestUnit> UnitsAsync(
        IngestPlan plan, int first, int count, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = (int)Math.Min((long)first + count, plan.Units);
        for (var unit = first; unit < end; unit++)
        {
            var part = await ReadAsync(_units, plan.Blobs.PlannedUnits(unit / IngestPlan.PartSize), cancellationToken);
            yield return part[unit % IngestPlan.PartSize];
        }
    }

    /// <summary>Writes the tables to convert before a view is planned, unless they exist.</summary>
    public async Task KeepTablesAsync(
        DatasetBlobs dataset, DatasetRequest request, IReadOnlyList<SourceTable> tables, CancellationToken cancellationToken)
    {
        foreach (var (part, some) in tables.Chunk(IngestPlan.PartSize).Index())
            await KeepAsync(dataset.PlannedTables(part), new PlannedTables(request, some), cancellationToken);
    }

    /// <summary>Writes a plan unless one exists; returns the stored plan, which may be that of a concurrent writer.</summary>
    public async Task<IngestPlan> KeepAsync(
        IngestPlan plan, IReadOnlyList<PlannedFile> files, IReadOnlyList<IngestUnit> units, CancellationToken cancellationToken)
    {
        foreach (var (part, some) in files.Chunk(IngestPlan.PartSize).Index())
            await KeepAsync(plan.Blobs.PlannedFiles(part), some, cancellationToken);
        foreach (var (part, some) in units.Chunk(IngestPlan.PartSize).Index())
            await KeepAsync(plan.Blobs.PlannedUnits(part), some, cancellationToken);
        // Last: a plan that exists is complete.
        await KeepAsync(plan.Blobs.Plan, plan, cancellationToken);
        return await ReadAsync(plan.Blobs, cancellationToken);
    }

    private Task<T?> FindAsync<T>(Latest<T> kept, string name, CancellationToken cancellationToken)
        where T : class =>
        kept.FindAsync(name, () => container.GetBlobClient(name).ReadJsonAsync<T>(cancellationToken));

    private async Task<T> ReadAsync<T>(Latest<T> kept, string name, CancellationToken cancellationToken)
        where T : class =>
        await FindAsync(kept, name, cancellationToken)
        ?? throw new InvalidOperationException($"{Containers.Datasets}/{name} is gone; resolve the dataset again");

    private Task KeepAsync<T>(string name, T document, CancellationToken cancellationToken) =>
        container.GetBlobClient(name).CreateJsonAsync(document, PipelineJson.Compact, cancellationToken);
}

/// <summary>Keeps the latest values that were read, which never change.</summary>
/// <param name="kept">Number of values that are kept.</param>
internal sealed class Latest<T>(int kept)
    where T : class
{
    private readonly LinkedList<(string Name, T Value)> _values = new();

    /// <summary>Returns the value of a name, or reads it; null when there is none yet.</summary>
    public async Task<T?> FindAsync(string name, Func<Task<T?>> read)
    {
        lock (_values)
            if (_values.FirstOrDefault(entry => entry.Name == name) is { Value: { } known }) return known;
        if (await read() is not { } value) return null;
        lock (_values)
        {
            _values.AddFirst((name, value));
            if (_values.Count > kept) _values.RemoveLast();
        }
        return value;
    }
}

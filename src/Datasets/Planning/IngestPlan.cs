using System.Text.Json.Serialization;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>
/// Plan for ingesting a view of a dataset: <c>plan.json</c>, written once. Activities read the plan from storage; durable state holds only
/// the much smaller <see cref="ResolvedDataset"/>.
/// </summary>
public sealed record IngestPlan
{
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
    /// Time of the last change of a file of the dataset, after which images are not read; null where a commit pins the content.
    /// </summary>
    public DateTimeOffset? AsOf { get; init; }

    /// <summary>The dataset's configuration.</summary>
    public required string Config { get; init; }

    /// <summary>Short hash of everything but the commit that determines the result.</summary>
    public required string View { get; init; }

    /// <summary>Rows of each of the dataset's own splits, before and after <see cref="DatasetRequest.MaxRows"/>.</summary>
    public required IReadOnlyDictionary<string, SplitRows> Splits { get; init; }

    public required IReadOnlyList<PlannedFile> Files { get; init; }

    /// <summary>Units, in the order of their files.</summary>
    public required IReadOnlyList<IngestUnit> Units { get; init; }

    /// <summary>Number of consecutive units whose rows share a training shard.</summary>
    public required int UnitsPerShard { get; init; }

    /// <summary>Blob names of the view.</summary>
    [JsonIgnore]
    public DatasetBlobs Blobs => new(Request.Repo, Commit, View);

    /// <summary>Returns the part of the plan that durable state holds.</summary>
    /// <param name="report">Report of a complete ingestion; null when the plan has not been carried out.</param>
    public ResolvedDataset Resolved(IngestReport? report) => new()
    {
        Blobs = Blobs,
        Rows = Splits.Values.Sum(split => split.Taken),
        Columns = Columns,
        ColumnsGuess = ColumnsGuess,
        Files = [.. Files.Select((file, number) => new FileUnits(number, file.FirstUnit, file.Units)).Where(file => file.Units > 0)],
        Shards = (Units.Count + UnitsPerShard - 1) / UnitsPerShard,
        Report = report,
    };
}

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
public sealed record IngestUnit(int Number, string Split, string File, long FileStart, long Start, long Count, long GroupBytes = 0);

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

    /// <summary>Files that have units.</summary>
    public required IReadOnlyList<FileUnits> Files { get; init; }

    /// <summary>Maximum number of training shards per split.</summary>
    public required int Shards { get; init; }

    /// <summary>Report of a complete earlier ingestion; null when there is none.</summary>
    public IngestReport? Report { get; init; }
}

/// <summary>The units of one file.</summary>
/// <param name="File">Index of the file in <see cref="IngestPlan.Files"/>.</param>
public sealed record FileUnits(int File, int FirstUnit, int Units);

/// <summary>Reads and writes plans in blob storage; caches the most recent plans, which never change.</summary>
internal sealed class PlanStore(BlobContainerClient container)
{
    private const int Kept = 4;

    private readonly LinkedList<IngestPlan> _plans = new();

    /// <summary>Finds the plan of a view; null when there is none yet.</summary>
    public async Task<IngestPlan?> FindAsync(DatasetBlobs dataset, CancellationToken cancellationToken)
    {
        lock (_plans)
            if (_plans.FirstOrDefault(kept => kept.Blobs == dataset) is { } known) return known;
        if (await container.GetBlobClient(dataset.Plan).ReadJsonAsync<IngestPlan>(cancellationToken) is not { } plan) return null;
        lock (_plans)
        {
            _plans.AddFirst(plan);
            if (_plans.Count > Kept) _plans.RemoveLast();
        }
        return plan;
    }

    /// <summary>Reads the plan of a resolved view.</summary>
    public async Task<IngestPlan> ReadAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        await FindAsync(dataset, cancellationToken)
        ?? throw new InvalidOperationException($"{Containers.Datasets}/{dataset.Plan} is gone; resolve the dataset again");

    /// <summary>Writes a plan unless one exists; returns the stored plan, which may be that of a concurrent writer.</summary>
    public async Task<IngestPlan> KeepAsync(IngestPlan plan, CancellationToken cancellationToken)
    {
        await container.GetBlobClient(plan.Blobs.Plan).CreateJsonAsync(plan, PipelineJson.Compact, cancellationToken);
        return await ReadAsync(plan.Blobs, cancellationToken);
    }
}

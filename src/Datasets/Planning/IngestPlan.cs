using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Everything that ingesting a view of a dataset will do: <c>plan.json</c>, written once. Activities read it; durable state only holds
/// <see cref="ResolvedDataset"/>.
/// </summary>
public sealed record IngestPlan
{
    public required DatasetRequest Request { get; init; }

    /// <summary>The columns to read: the request's, or guessed.</summary>
    public required ColumnMapping Columns { get; init; }

    /// <summary>Why these columns, when they were guessed.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>The commit of the dataset.</summary>
    public required string Commit { get; init; }

    /// <summary>The commit of the Hub's Parquet form of it.</summary>
    public required string ParquetCommit { get; init; }

    /// <summary>The dataset's configuration.</summary>
    public required string Config { get; init; }

    /// <summary>A short hash of everything but the commit that decides what comes out.</summary>
    public required string View { get; init; }

    /// <summary>Rows of each of the dataset's own splits, before and after <see cref="DatasetRequest.MaxRows"/>.</summary>
    public required IReadOnlyDictionary<string, SplitRows> Splits { get; init; }

    public required IReadOnlyList<PlannedFile> Files { get; init; }

    /// <summary>In the order of their files.</summary>
    public required IReadOnlyList<IngestUnit> Units { get; init; }

    /// <summary>How many units, one after the other, go into the same training shard.</summary>
    public required int UnitsPerShard { get; init; }

    /// <summary>Where it is in blob storage.</summary>
    [JsonIgnore]
    public DatasetBlobs Blobs => new(Request.Repo, Commit, View);

    /// <summary>What durable state holds of it.</summary>
    /// <param name="report">When it has been carried out.</param>
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
/// <param name="Rows">Rows of the file, taken or not.</param>
/// <param name="FirstUnit">The first of its units, which follow each other.</param>
/// <param name="Units">How many units it has; 0 when none of its rows is taken.</param>
public sealed record PlannedFile(string Split, HubFileInfo Hub, long Rows, int FirstUnit, int Units)
{
    /// <summary>What the Hub names its content by; what it is called in blob storage.</summary>
    [JsonIgnore]
    public string ContentId => Hub.Sha256 ?? Hub.GitOid;
}

/// <summary>How many rows a split has, and how many of them are taken.</summary>
public sealed record SplitRows(long Total, long Taken)
{
    /// <summary>
    /// Whether a row is taken: every row, or rows at even distances from the first to the last, as a split may be sorted by label.
    /// </summary>
    public bool Takes(long row) => Taken == Total || Place(row + 1) > Place(row);

    /// <summary>How many of the rows before this one are taken.</summary>
    public long TakenBefore(long row) => Taken == Total ? row : Place(row);

    /// <summary>How many rows, from the first on, hold so many that are taken.</summary>
    public long RowsHolding(long taken) => Taken == Total ? taken : (long)((((Int128)taken * Total) + Taken - 1) / Taken);

    private long Place(long row) => (long)((Int128)row * Taken / Total);
}

/// <summary>Rows that are ingested together: a range of the row groups of one Parquet file, or a part of one row group.</summary>
/// <param name="Number">From 0, over all units of the dataset.</param>
/// <param name="Split">The dataset's own split.</param>
/// <param name="File">Path of the Parquet file.</param>
/// <param name="FileStart">Index of the file's first row in its split.</param>
/// <param name="Start">Index of the unit's first row in its split.</param>
/// <param name="Count">Rows of the range, taken or not.</param>
/// <param name="GroupBytes">Of the largest of its row groups, unpacked.</param>
public sealed record IngestUnit(int Number, string Split, string File, long FileStart, long Start, long Count, long GroupBytes = 0);

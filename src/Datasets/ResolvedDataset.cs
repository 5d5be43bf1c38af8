using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// A dataset request with everything pinned and cut into units; what the activities of one ingestion share. Small enough for durable state.
/// </summary>
public sealed record ResolvedDataset
{
    public required DatasetRequest Request { get; init; }

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

    public required IReadOnlyList<IngestUnit> Units { get; init; }

    /// <summary>Rows that will be read.</summary>
    [JsonIgnore]
    public long Rows => Splits.Values.Sum(s => s.Taken);

    /// <summary>Where it is in blob storage.</summary>
    [JsonIgnore]
    public DatasetBlobs Blobs => new(Request.Repo, Commit, View);
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

    private long Place(long row) => (long)((Int128)row * Taken / Total);
}

/// <summary>Rows that are ingested together: a range of one Parquet file.</summary>
/// <param name="Number">From 0, over all units of the dataset.</param>
/// <param name="Split">The dataset's own split.</param>
/// <param name="File">Path of the Parquet file.</param>
/// <param name="FileStart">Index of the file's first row in its split.</param>
/// <param name="Start">Index of the unit's first row in its split.</param>
/// <param name="Count">Rows of the range, taken or not.</param>
public sealed record IngestUnit(int Number, string Split, string File, long FileStart, long Start, long Count);

/// <summary>What an ingested unit came to.</summary>
public sealed record UnitResult(int Unit, RowCounts Counts);

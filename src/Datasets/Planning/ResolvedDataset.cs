using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>A dataset that was looked up and planned, as durable state holds it: references and counts.</summary>
public sealed record ResolvedDataset
{
    /// <summary>What stands for it in the inputs of activities.</summary>
    public required DatasetBlobs Blobs { get; init; }

    /// <summary>Rows that will be read.</summary>
    public required long Rows { get; init; }

    public required ColumnMapping Columns { get; init; }

    /// <summary>Why these columns, when they were guessed.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>Files that have units.</summary>
    public required IReadOnlyList<FileUnits> Files { get; init; }

    /// <summary>How many training shards of each split there may be.</summary>
    public required int Shards { get; init; }

    /// <summary>What became of it, when it has been ingested before.</summary>
    public IngestReport? Report { get; init; }
}

/// <summary>The units of one file.</summary>
/// <param name="File">Its place in <see cref="IngestPlan.Files"/>.</param>
public sealed record FileUnits(int File, int FirstUnit, int Units);

/// <summary>How far the units of a dataset are.</summary>
/// <param name="Units">Units that are done.</param>
/// <param name="Counts">Of their rows, and of those that are in work. Rows that repeat an earlier one count as stored until the catalog is written.</param>
public sealed record IngestProgress(int Units, RowCounts Counts);

/// <summary>What the catalog came to: the part of a report that is known from the rows alone.</summary>
public sealed record CatalogSummary
{
    public required RowCounts Counts { get; init; }

    public required IReadOnlyDictionary<string, long> Splits { get; init; }

    public required IReadOnlyDictionary<string, long> Categories { get; init; }

    public required int CategoryCount { get; init; }

    public Distribution? Prices { get; init; }

    public Distribution? LongerSides { get; init; }

    public Distribution? FileSizes { get; init; }
}

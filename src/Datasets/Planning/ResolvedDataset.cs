using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

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

/// <summary>Progress of a dataset's units.</summary>
/// <param name="Units">Number of completed units.</param>
/// <param name="Counts">Row counts of completed units and of units in progress; duplicates count as stored until the catalog is
/// written.</param>
public sealed record IngestProgress(int Units, RowCounts Counts);

/// <summary>Summary of the catalog: the part of a report that derives from the rows alone.</summary>
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

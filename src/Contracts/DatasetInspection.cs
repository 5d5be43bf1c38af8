namespace FunctionsPipeline.Contracts;

/// <summary>What a dataset has and how it would be read: the answer to <c>POST /api/datasets/inspect</c>.</summary>
public sealed record DatasetInspection
{
    public required string Repo { get; init; }

    public required string Commit { get; init; }

    /// <summary>The configurations to choose from.</summary>
    public required IReadOnlyList<string> Configs { get; init; }

    /// <summary>The one that was looked at.</summary>
    public required string Config { get; init; }

    /// <summary>Its splits, by name.</summary>
    public required IReadOnlyDictionary<string, SplitSize> Splits { get; init; }

    public required IReadOnlyList<ColumnInfo> Columns { get; init; }

    /// <summary>The first rows, as text by column; images are described.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, string?>> SampleRows { get; init; }

    /// <summary>The columns that would be read: the request's, or guessed; null when there is no good guess.</summary>
    public ColumnMapping? Mapping { get; init; }

    /// <summary>Why these columns, when they were guessed, or why there is no guess.</summary>
    public string? Guess { get; init; }
}

/// <summary>A column of a dataset, described for whoever is to map it.</summary>
/// <param name="Name">As in the dataset.</param>
/// <param name="Type">Such as <c>string</c>, <c>int64</c>, <c>list&lt;string&gt;</c> or <c>struct&lt;bytes: binary, path: string&gt;</c>.</param>
/// <param name="Feature">What the dataset's author says of it, such as <c>Image</c> or <c>ClassLabel (10 names: dress, hat, coat, …)</c>.</param>
public sealed record ColumnInfo(string Name, string Type, string? Feature);

/// <summary>How large a split is in the Hub's Parquet form.</summary>
/// <param name="Rows">Null when there are too many files to look into each.</param>
public sealed record SplitSize(int Files, long Bytes, long? Rows);

/// <summary>The answer to <c>POST /api/datasets/ingest</c>.</summary>
/// <param name="Id">The orchestration instance id.</param>
/// <param name="Commit">The commit that is ingested.</param>
/// <param name="Management">The URLs of the durable extension's management API, by their name there, such as <c>statusQueryGetUri</c>.</param>
public sealed record IngestionAccepted(string Id, string Commit, IReadOnlyDictionary<string, string> Management);

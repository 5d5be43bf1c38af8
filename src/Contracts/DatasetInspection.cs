namespace FunctionsPipeline.Contracts;

/// <summary>
/// Structure of a dataset and the column mapping that ingestion would use: the response to <c>POST /api/datasets/inspect</c>.
/// </summary>
public sealed record DatasetInspection
{
    public required string Repo { get; init; }

    public required string Commit { get; init; }

    /// <summary>Names of the dataset's configurations.</summary>
    public required IReadOnlyList<string> Configs { get; init; }

    /// <summary>The configuration that was inspected.</summary>
    public required string Config { get; init; }

    /// <summary>Splits of the inspected configuration, by name.</summary>
    public required IReadOnlyDictionary<string, SplitSize> Splits { get; init; }

    public required IReadOnlyList<ColumnInfo> Columns { get; init; }

    /// <summary>The first rows, as text by column; an embedded image is replaced by its size.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, string?>> SampleRows { get; init; }

    /// <summary>
    /// Form of the files and how they are read, such as <c>CSV, 2 files, separator ';', Windows-1252, header</c>; null for Parquet.
    /// </summary>
    public string? Form { get; init; }

    /// <summary>Defects that the first rows show; null for none.</summary>
    public IReadOnlyList<QualityWarning>? Warnings { get; init; }

    /// <summary>The column mapping: the request's, or the guess; null when no guess is possible.</summary>
    public ColumnMapping? Mapping { get; init; }

    /// <summary>Reasons for the guessed columns, or the reason why no guess is possible; null when the request names the columns.</summary>
    public string? Guess { get; init; }
}

/// <summary>Name and type of a dataset column.</summary>
/// <param name="Name">The column's name in the dataset.</param>
/// <param name="Type">Type in Arrow notation, such as <c>string</c>, <c>int64</c>, <c>list&lt;string&gt;</c> or <c>struct&lt;bytes: binary,
/// path: string&gt;</c>.</param>
/// <param name="Feature">Feature that the dataset's author declares for the column, such as <c>Image</c> or <c>ClassLabel (10 names: dress,
/// hat, coat, …)</c>.</param>
public sealed record ColumnInfo(string Name, string Type, string? Feature);

/// <summary>Size of a split in the Hub's Parquet form.</summary>
/// <param name="Rows">Null when the split has too many files to read every footer.</param>
public sealed record SplitSize(int Files, long Bytes, long? Rows);

/// <summary>Response to <c>POST /api/datasets/ingest</c>.</summary>
/// <param name="Id">The orchestration instance id.</param>
/// <param name="Commit">The pinned commit.</param>
/// <param name="Management">The URLs of the durable extension's management API, by their names in that API, such as
/// <c>statusQueryGetUri</c>.</param>
public sealed record IngestionAccepted(string Id, string Commit, IReadOnlyDictionary<string, string> Management);

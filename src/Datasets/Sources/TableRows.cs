namespace FunctionsPipeline.Datasets.Sources;

/// <summary>The rows of a table that is not Parquet.</summary>
/// <param name="Description">How the table is read, such as <c>separator ';', UTF-8, header</c>; empty when there is nothing to
/// say.</param>
internal sealed record TableRows(string Description, IAsyncEnumerable<TableRow> Rows);

/// <summary>A row of a table, as texts.</summary>
/// <param name="Columns">Names of the columns that the row has.</param>
/// <param name="Values">The values; null for none.</param>
internal sealed record TableRow(IReadOnlyList<string> Columns, IReadOnlyList<string?> Values)
{
    /// <summary>The image, where the table holds it rather than a path or a URL.</summary>
    public ReadOnlyMemory<byte>? Image { get; init; }

    /// <summary>Reason why the row cannot be read; it has no values then.</summary>
    public string? Fault { get; init; }

    public static TableRow Unreadable(string fault) => new([], []) { Fault = fault };
}

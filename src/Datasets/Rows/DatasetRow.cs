namespace FunctionsPipeline.Datasets;

/// <summary>A row as the dataset has it, reduced to the mapped columns.</summary>
/// <param name="Row">Index in its split.</param>
/// <param name="ImageUrl">The address, when images are given by URL.</param>
/// <param name="ImageBytes">The file, when images are embedded.</param>
/// <param name="Price">May be no number at all.</param>
/// <param name="Product">What tells products apart, when the column is mapped.</param>
internal sealed record DatasetRow(long Row, string? ImageUrl, ReadOnlyMemory<byte>? ImageBytes, string? Title, string? Category,
    double? Price, string? Product)
{
    /// <summary>Why the row could not be read: its column and page, and what is wrong there. Nothing else is known of it then.</summary>
    public string? Fault { get; init; }

    /// <summary>The price as it is written, when it is no number.</summary>
    public string? PriceText { get; init; }
}

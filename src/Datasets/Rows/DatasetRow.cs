namespace FunctionsPipeline.Datasets;

/// <summary>A row of the dataset, with the mapped columns only.</summary>
/// <param name="Row">Index of the row in its split.</param>
/// <param name="ImageUrl">URL of the image; null when it is embedded.</param>
/// <param name="ImageBytes">The image file, when embedded.</param>
/// <param name="Price">The price; NaN or infinite when the value is not a valid number.</param>
/// <param name="Product">Value of the product column; null when no such column is mapped.</param>
internal sealed record DatasetRow(long Row, string? ImageUrl, ReadOnlyMemory<byte>? ImageBytes, string? Title, string? Category,
    double? Price, string? Product)
{
    /// <summary>Reason why the row could not be read, with column and page; all other members are null then.</summary>
    public string? Fault { get; init; }

    /// <summary>Original text of the price, when it is not a number.</summary>
    public string? PriceText { get; init; }
}

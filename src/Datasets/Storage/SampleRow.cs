using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>A sample of a shard: the labels of a row, and images of it.</summary>
/// <param name="Key">The sample's key, <c>{sourceSplit}-{row}</c>, with a number for the further samples of a row.</param>
/// <param name="Images">SHA-256 of each image, at least one.</param>
internal sealed record SampleRow(string Key, ManifestRow Row, IReadOnlyList<string> Images)
{
    /// <summary>Makes samples of a shard's rows by the request's use of images.</summary>
    /// <param name="rows">Stored rows of one split without duplicates, in their order.</param>
    public static IEnumerable<SampleRow> Of(IEnumerable<ManifestRow> rows, DatasetRequest request) => request.Images switch
    {
        ImageUse.Samples => rows.SelectMany(row => ImagesOf(row).Select((image, number) =>
            new SampleRow(number == 0 ? KeyOf(row) : $"{KeyOf(row)}-{number}", row, [image]))),
        // A row without a product is a product of its own.
        ImageUse.Prompt => rows.GroupBy(row => (row.Product, row.Product is null ? KeyOf(row) : null)).Select(product =>
            new SampleRow(KeyOf(product.First()), product.First(),
                [.. product.SelectMany(ImagesOf).Distinct().Take(request.MaxImages)])),
        _ => rows.Select(row => new SampleRow(KeyOf(row), row, [row.Sha256!])),
    };

    // WebDataset takes the first dot of a name as the start of the extension.
    private static string KeyOf(ManifestRow row) => $"{row.SourceSplit.Replace('.', '_')}-{row.Row}";

    private static IEnumerable<string> ImagesOf(ManifestRow row) => row.Images.Select(image => image.Sha256);
}

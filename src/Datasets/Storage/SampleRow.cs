using System.Security.Cryptography;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>A sample of a shard: the labels of a row, and images of it or of its product.</summary>
/// <param name="Key">The sample's key, <c>{sourceSplit}-{row}</c>, with a number for the further samples of a row.</param>
/// <param name="Images">SHA-256 of each image, at least one.</param>
internal sealed record SampleRow(string Key, ManifestRow Row, IReadOnlyList<string> Images)
{
    /// <summary>Makes samples of a row by the request's use of images; none of a row whose images are in another sample.</summary>
    /// <param name="row">A stored row that is no duplicate.</param>
    /// <param name="merged">The row among those of its product; null when the product has no other.</param>
    public static IEnumerable<SampleRow> Of(ManifestRow row, DatasetRequest request, MergedRow? merged) => request.Images switch
    {
        ImageUse.Samples => row.Images.Select((image, number) =>
            new SampleRow(number == 0 ? KeyOf(row) : $"{KeyOf(row)}-{number}", row, [image.Sha256])),
        ImageUse.Prompt when merged is { Into: not null } => [],
        ImageUse.Prompt when merged is { Images: { } images } =>
            [new SampleRow(KeyOf(row), row, [.. images.Chunk(SHA256.HashSizeInBytes).Select(Convert.ToHexStringLower)])],
        ImageUse.Prompt => [new SampleRow(KeyOf(row), row, [.. row.Images.Select(image => image.Sha256)])],
        _ => [new SampleRow(KeyOf(row), row, [row.Sha256!])],
    };

    // WebDataset takes the first dot of a name as the start of the extension.
    private static string KeyOf(ManifestRow row) => $"{row.SourceSplit.Replace('.', '_')}-{row.Row}";
}

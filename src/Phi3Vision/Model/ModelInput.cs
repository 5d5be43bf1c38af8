using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Vision;
using static FunctionsPipeline.Phi3Vision.Model.CheckedInput;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>Input of one call of the model. The caller keeps ownership of the tensors. B rows, L positions, N images.</summary>
/// <param name="InputIds">
/// Token ids, I64 [B, L]; every position of an image has a negative id (-k for image k of its row, or of its sample in a pack).
/// </param>
/// <param name="AttentionMask">
/// 1 for real positions, 0 for padding: I64 [B, L], with a cache [B, cached + L]. Null when nothing is padding.
/// </param>
/// <param name="PixelValues">
/// Images of all rows in order, [N, K, 3, 336, 336]: global view, crops, filler. K is at least the largest image's number of views.
/// </param>
/// <param name="ImageSizes">I64 [N, 2]: height and width that the crops of each image tile, multiples of 336 pixels.</param>
/// <param name="PositionIds">Positions, I64 [B, L]; null counts from the cache's length.</param>
/// <param name="SegmentLengths">
/// Lengths of the samples of a pack: one row (B = 1) of samples laid end to end. Attention stays within a sample and positions start at 0
/// in each, as if the sample were a row of its own. Cannot be combined with a mask, positions or a cache.
/// </param>
/// <param name="ImageFeatures">
/// Outputs of the vision tower in place of the pixels: N tensors [V, 576, C], as <see cref="Phi3VisionModel.ImageFeatures"/> returns them.
/// </param>
public sealed record ModelInput(
    Tensor InputIds,
    Tensor? AttentionMask = null,
    Tensor? PixelValues = null,
    Tensor? ImageSizes = null,
    Tensor? PositionIds = null,
    IReadOnlyList<long>? SegmentLengths = null,
    IReadOnlyList<Tensor>? ImageFeatures = null);

/// <summary>
/// A <see cref="ModelInput"/> whose shapes, types and values have been checked. The check is here because a mismatch that reaches the
/// native library may end the process, and an id outside the vocabulary ends a GPU's context.
/// </summary>
/// <param name="Batch">Number of rows to compute: the rows of the ids, or the samples of a pack whose samples have equal lengths.</param>
/// <param name="Length">Number of positions of a row.</param>
/// <param name="Segments">Lengths of a pack's samples where they differ; null otherwise.</param>
/// <param name="ImagePositions">Indices of image positions in the flattened [B · L].</param>
/// <param name="Grids">Rows and columns of crops of each image.</param>
/// <param name="HasPadding">True when the attention mask has a zero.</param>
internal sealed record CheckedInput(
    long Batch, long Length, long[]? Segments, long[] ImagePositions, IReadOnlyList<(int Rows, int Columns)> Grids, bool HasPadding)
{
    /// <exception cref="ArgumentException">A shape, type or value does not fit; the message names it.</exception>
    public static CheckedInput Create(ModelInput input, Phi3VisionConfig config, KeyValueCache? cache)
    {
        var shape = input.InputIds.shape;
        Require(
            shape.Length == 2 && input.InputIds.dtype == ScalarType.Int64 && shape[0] > 0 && shape[1] > 0,
            $"InputIds must be I64 [B, L], but are {Describe(input.InputIds)}.");
        var (batch, length) = (shape[0], shape[1]);
        var cached = cache?.Length ?? 0;
        if (cache is not null)
        {
            Require(cache.Batch == batch, $"The cache has {cache.Batch} rows, but InputIds have {batch}.");
            Require(
                cached + length <= cache.Capacity,
                $"The cache has room for {cache.Capacity} positions, but {cached + length} are needed.");
        }
        RequireShape(input.AttentionMask, "AttentionMask", batch, cached + length);
        RequireShape(input.PositionIds, "PositionIds", batch, length);
        if (input.SegmentLengths is not null) CheckPack(input, cache);
        var ids = Values(input.InputIds);
        Require(ids.Max() < config.VocabSize, $"InputIds hold {ids.Max()}, but the vocabulary has {config.VocabSize} tokens.");
        // The number of a negative id is not used: embeddings fill these positions in the order of the images, as in the published code.
        var images = Enumerable.Range(0, ids.Length).Where(i => ids[i] < 0).Select(i => (long)i).ToArray();
        var grids = CheckedImages.Grids(input, config);
        var expected = grids.Sum(grid => (long)ProcessedImage.TokensOf(grid.Rows, grid.Columns));
        Require(images.Length == expected, $"InputIds have {images.Length} image positions, but the images take {expected}.");
        var padding = input.AttentionMask is not null && Values(input.AttentionMask).Contains(0);
        // A pack of samples of equal length is a batch without padding: one attention call in place of one per sample.
        return input.SegmentLengths switch
        {
            null => new CheckedInput(batch, length, null, images, grids, padding),
            [var first, ..] same when same.All(segment => segment == first) =>
                new CheckedInput(same.Count, first, null, images, grids, padding),
            var segments => new CheckedInput(batch, length, [.. segments], images, grids, padding),
        };
    }

    /// <summary>Copies the values of an integer tensor to managed memory.</summary>
    public static long[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.cpu().to(ScalarType.Int64).contiguous().data<long>().ToArray();
    }

    /// <summary>Formats a tensor's type and shape for a message.</summary>
    public static string Describe(Tensor tensor) => $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";

    /// <exception cref="ArgumentException">The condition does not hold.</exception>
    public static void Require(bool condition, string message)
    {
        if (!condition) throw new ArgumentException(message, "input");
    }

    private static void CheckPack(ModelInput input, KeyValueCache? cache)
    {
        var (rows, length) = (input.InputIds.shape[0], input.InputIds.shape[1]);
        var segments = input.SegmentLengths!;
        Require(rows == 1, $"SegmentLengths divide one row, but InputIds have {rows}.");
        Require(
            segments.All(segment => segment > 0) && segments.Sum() == length,
            $"SegmentLengths [{string.Join(", ", segments)}] do not divide {length} positions.");
        Require(
            input.AttentionMask is null && input.PositionIds is null && cache is null,
            "SegmentLengths cannot be used with AttentionMask, PositionIds or a cache.");
    }

    private static void RequireShape(Tensor? tensor, string name, long rows, long columns) =>
        Require(tensor is null || tensor.shape is [var r, var c] && r == rows && c == columns && tensor.dtype == ScalarType.Int64,
            tensor is null ? "" : $"{name} must be I64 [{rows}, {columns}], but is {Describe(tensor)}.");
}

/// <summary>Checks the images of a <see cref="ModelInput"/>, given as pixels or as features.</summary>
internal static class CheckedImages
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Checks the images and returns the rows and columns of crops of each.</summary>
    /// <exception cref="ArgumentException">A shape or size does not fit; the message names it.</exception>
    public static IReadOnlyList<(int Rows, int Columns)> Grids(ModelInput input, Phi3VisionConfig config)
    {
        Require(
            input.PixelValues is null || input.ImageFeatures is null, "PixelValues and ImageFeatures are two forms of the same images.");
        if (input.PixelValues is { } pixels) return OfPixels(pixels, input.ImageSizes);
        if (input.ImageFeatures is { } features) return OfFeatures(features, input.ImageSizes, config.Clip);
        Require(input.ImageSizes is null, "ImageSizes belong together with PixelValues or ImageFeatures.");
        return [];
    }

    /// <summary>
    /// Checks <see cref="ModelInput.PixelValues"/> and <see cref="ModelInput.ImageSizes"/>, and returns the rows and columns of crops.
    /// </summary>
    /// <exception cref="ArgumentException">A shape or size does not fit; the message names it.</exception>
    public static IReadOnlyList<(int Rows, int Columns)> OfPixels(Tensor pixels, Tensor? sizes)
    {
        Require(sizes is not null, "PixelValues and ImageSizes belong together.");
        Require(pixels.shape is [> 0, > 0, 3, Side, Side], $"PixelValues must be [N, K, 3, {Side}, {Side}], but are {Describe(pixels)}.");
        var grids = OfSizes(sizes!, pixels.shape[0]);
        for (var i = 0; i < grids.Count; i++)
        {
            var crops = grids[i].Rows * grids[i].Columns;
            Require(crops < pixels.shape[1], $"Image {i} has {crops} crops, but PixelValues hold {pixels.shape[1] - 1}.");
        }
        return grids;
    }

    private static List<(int Rows, int Columns)> OfFeatures(IReadOnlyList<Tensor> features, Tensor? sizes, ClipConfig clip)
    {
        Require(sizes is not null, "ImageFeatures and ImageSizes belong together.");
        var grids = OfSizes(sizes!, features.Count);
        for (var i = 0; i < grids.Count; i++)
        {
            var views = 1 + grids[i].Rows * grids[i].Columns;
            // One view is enough for an image whose only crop equals its global view.
            var fits = features[i].shape is [var v, ImageEmbedding.Patches, var width]
                && width == clip.HiddenSize && (v == views || v == 1 && views == 2);
            Require(
                fits,
                $"ImageFeatures of image {i} must be [{views}, {ImageEmbedding.Patches}, {clip.HiddenSize}], " +
                $"but are {Describe(features[i])}.");
        }
        return grids;
    }

    private static List<(int Rows, int Columns)> OfSizes(Tensor sizes, long images)
    {
        Require(sizes.shape is [var n, 2] && n == images, $"ImageSizes must be [{images}, 2], but are {Describe(sizes)}.");
        var values = Values(sizes);
        var grids = new List<(int, int)>();
        for (var i = 0; i < images; i++)
        {
            var (height, width) = (values[2 * i], values[2 * i + 1]);
            Require(
                height > 0 && width > 0 && height % Side == 0 && width % Side == 0,
                $"Image {i} is {width}×{height}, but sides must be multiples of {Side}.");
            grids.Add(((int)(height / Side), (int)(width / Side)));
        }
        return grids;
    }
}

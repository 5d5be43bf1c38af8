using static FunctionsPipeline.Phi3Vision.CheckedInput;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Checks the images of a <see cref="ModelInput"/>, given as pixels or as features.</summary>
internal static class CheckedImages
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Checks the images and returns the rows and columns of crops of each.</summary>
    /// <exception cref="ArgumentException">A shape or size does not fit; the message names it.</exception>
    public static IReadOnlyList<(int Rows, int Columns)> Grids(ModelInput input, Phi3VisionConfig config)
    {
        Require(input.PixelValues is null || input.ImageFeatures is null, "PixelValues and ImageFeatures are two forms of the same images.");
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
            var fits = features[i].shape is [var v, ImageEmbedding.Patches, var width] && width == clip.HiddenSize && (v == views || v == 1 && views == 2);
            Require(fits, $"ImageFeatures of image {i} must be [{views}, {ImageEmbedding.Patches}, {clip.HiddenSize}], but are {Describe(features[i])}.");
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
            Require(height > 0 && width > 0 && height % Side == 0 && width % Side == 0, $"Image {i} is {width}×{height}, but sides must be multiples of {Side}.");
            grids.Add(((int)(height / Side), (int)(width / Side)));
        }
        return grids;
    }
}

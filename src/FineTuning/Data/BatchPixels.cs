using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Images as pixels, with filler up to the views of the largest.</summary>
internal sealed class BatchPixels : IBatchImages
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int View = 3 * Side * Side;

    private readonly int _images, _views;
    private readonly float[] _pixels;
    private readonly long[] _sizes;

    /// <param name="images">At least one.</param>
    public BatchPixels(IReadOnlyList<ProcessedImage> images)
    {
        (_images, _views) = (images.Count, images.Max(image => image.Views));
        _pixels = new float[_images * _views * View];
        for (var i = 0; i < _images; i++) images[i].PixelValues.CopyTo(_pixels, i * _views * View);
        // The only crop of an image of one view's size is its global view once more.
        Views = images.Sum(image => image is { Height: Side, Width: Side } ? 1 : image.Views);
        _sizes = [.. images.SelectMany(image => new long[] { image.Height, image.Width })];
    }

    /// <inheritdoc/>
    public int Views { get; }

    /// <inheritdoc/>
    public ModelInput AddTo(ModelInput input, Device device) => input with
    {
        PixelValues = tensor(_pixels, [_images, _views, 3, Side, Side], device: device),
        ImageSizes = tensor(_sizes, [_images, 2], device: device),
    };
}

using System.Runtime.InteropServices;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Images as pixels, with filler up to the views of the largest.</summary>
/// <param name="images">At least one.</param>
internal sealed class BatchPixels(IReadOnlyList<ProcessedImage> images) : IBatchImages
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int View = 3 * Side * Side;

    /// <inheritdoc/>
    // The only crop of an image of one view's size is its global view once more.
    public int Views { get; } = images.Sum(image => image is { Height: Side, Width: Side } ? 1 : image.Views);

    /// <inheritdoc/>
    public ModelInput AddTo(ModelInput input, Device device) => input with
    {
        PixelValues = Pixels().to(device),
        ImageSizes = tensor(
            images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device),
    };

    // Straight into the tensor's memory: a batch of arrays for every step would be most of what the garbage collector has to do.
    private Tensor Pixels()
    {
        var views = images.Max(image => image.Views);
        var batch = zeros([images.Count, views, 3, Side, Side]);
        var pixels = MemoryMarshal.Cast<byte, float>(batch.bytes);
        for (var i = 0; i < images.Count; i++) images[i].PixelValues.CopyTo(pixels[(i * views * View)..]);
        return batch;
    }
}

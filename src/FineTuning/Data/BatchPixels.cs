using System.Runtime.InteropServices;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Images of a batch as pixels, with filler up to the largest number of views.</summary>
/// <param name="images">At least one.</param>
internal sealed class BatchPixels(IReadOnlyList<ProcessedImage> images) : IBatchImages
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int View = 3 * Side * Side;

    /// <inheritdoc/>
    // An image of one crop gives one view: the crop has the same pixels as the global view.
    public int Views { get; } = images.Sum(image => image is { Height: Side, Width: Side } ? 1 : image.Views);

    /// <inheritdoc/>
    public ModelInput AddTo(ModelInput input, Device device) => input with
    {
        PixelValues = Pixels().to(device),
        ImageSizes = tensor(
            images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device),
    };

    // Copied directly into the tensor's memory: an intermediate array per step would dominate the garbage collector's work.
    private Tensor Pixels()
    {
        var views = images.Max(image => image.Views);
        var batch = zeros([images.Count, views, 3, Side, Side]);
        var pixels = MemoryMarshal.Cast<byte, float>(batch.bytes);
        for (var i = 0; i < images.Count; i++) images[i].PixelValues.CopyTo(pixels[(i * views * View)..]);
        return batch;
    }
}

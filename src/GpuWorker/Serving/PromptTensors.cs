using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// One prompt with its images as the model's input. It owns the tensors, outside of any dispose scope, so that a thread other than the one
/// that made them can read and free them.
/// </summary>
internal sealed class PromptTensors : IDisposable
{
    /// <param name="ids">With a negative id for every position of an image.</param>
    /// <param name="images">In the order of their positions.</param>
    public PromptTensors(IReadOnlyList<int> ids, IReadOnlyList<ProcessedImage> images, Device device)
    {
        using var scope = NewDisposeScope();
        long[] row = [.. ids.Select(id => (long)id)];
        Input = new ModelInput(tensor(row, [1, row.Length], device: device));
        if (images.Count > 0) Input = Input with { PixelValues = Pixels(images, device), ImageSizes = Sizes(images, device) };
        scope.Detach(scope.DisposablesView);
    }

    /// <summary>I64 [1, L], and for N images F32 [N, K, 3, 336, 336] and I64 [N, 2].</summary>
    public ModelInput Input { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.InputIds.Dispose();
        Input.PixelValues?.Dispose();
        Input.ImageSizes?.Dispose();
    }

    private static Tensor Pixels(IReadOnlyList<ProcessedImage> images, Device device)
    {
        const int side = Phi3VisionConfig.ViewSize;
        var views = images.Max(image => image.Views);
        if (images.Count == 1) return tensor(images[0].PixelValues, [1, views, 3, side, side], device: device);
        var pixels = new float[images.Count * views * 3 * side * side];
        for (var i = 0; i < images.Count; i++) images[i].PixelValues.CopyTo(pixels, i * views * 3 * side * side);
        return tensor(pixels, [images.Count, views, 3, side, side], device: device);
    }

    private static Tensor Sizes(IReadOnlyList<ProcessedImage> images, Device device) =>
        tensor(images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2], device: device);
}

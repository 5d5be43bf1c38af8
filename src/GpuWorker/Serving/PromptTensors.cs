using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// A prompt about one image as the model's input. It owns the tensors, outside of any dispose scope, so that a thread other than the one
/// that made them can read and free them.
/// </summary>
internal sealed class PromptTensors : IDisposable
{
    /// <param name="ids">With a negative id for every position of the image.</param>
    public PromptTensors(IReadOnlyList<int> ids, ProcessedImage image, Device device)
    {
        const int side = Phi3VisionConfig.ViewSize;
        using var scope = NewDisposeScope();
        long[] row = [.. ids.Select(id => (long)id)];
        Input = new ModelInput(
            tensor(row, [1, row.Length], device: device),
            PixelValues: tensor(image.PixelValues, [1, image.Views, 3, side, side], device: device),
            ImageSizes: tensor(new long[] { image.Height, image.Width }, [1, 2], device: device));
        scope.Detach(Input.InputIds, Input.PixelValues!, Input.ImageSizes!);
    }

    /// <summary>I64 [1, L], F32 [1, K, 3, 336, 336] and I64 [1, 2].</summary>
    public ModelInput Input { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.InputIds.Dispose();
        Input.PixelValues?.Dispose();
        Input.ImageSizes?.Dispose();
    }
}

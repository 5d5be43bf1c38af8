using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Model input for a prompt about one image. Owns its tensors, detached from every dispose scope, so that a thread other than their
/// creator's may read and free them.
/// </summary>
internal sealed class PromptTensors : IDisposable
{
    /// <param name="ids">Token ids, with a negative id for every position of the image.</param>
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

    /// <summary>Token ids I64 [1, L], pixels F32 [1, K, 3, 336, 336] and image sizes I64 [1, 2].</summary>
    public ModelInput Input { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.InputIds.Dispose();
        Input.PixelValues?.Dispose();
        Input.ImageSizes?.Dispose();
    }
}

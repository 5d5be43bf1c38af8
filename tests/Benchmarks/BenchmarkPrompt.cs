using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>One row of ids, with or without an image, as the model's input. Owns the tensors, outside of any dispose scope.</summary>
internal sealed class BenchmarkPrompt : IDisposable
{
    /// <param name="ids">Token ids, with a negative id for every position of the image.</param>
    public BenchmarkPrompt(IReadOnlyList<int> ids, ProcessedImage? image, Device device)
    {
        const int side = Phi3VisionConfig.ViewSize;
        using var scope = NewDisposeScope();
        long[] row = [.. ids.Select(id => (long)id)];
        Input = new ModelInput(
            tensor(row, [1, row.Length], device: device),
            PixelValues: image is null ? null : tensor(image.PixelValues, [1, image.Views, 3, side, side], device: device),
            ImageSizes: image is null ? null : tensor(new long[] { image.Height, image.Width }, [1, 2], device: device));
        scope.Detach(Tensors);
    }

    /// <summary>I64 [1, L], and for an image F32 [1, K, 3, 336, 336] and I64 [1, 2].</summary>
    public ModelInput Input { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Tensors) tensor.Dispose();
    }

    private Tensor[] Tensors => [.. new[] { Input.InputIds, Input.PixelValues, Input.ImageSizes }.OfType<Tensor>()];
}

using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// CLIP's patch convolution, computed as one matrix product: the stride equals the kernel size, so patches do not overlap, and the product
/// is faster than a convolution on every engine.
/// </summary>
internal sealed class PatchEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly int _patch;
    private readonly int _perSide;

    public PatchEmbedding(ClipConfig config, Device device, ScalarType dtype) : base(nameof(PatchEmbedding))
    {
        (_patch, _perSide) = (config.PatchSize, config.ImageSize / config.PatchSize);
        weight = new Parameter(torch.zeros(config.HiddenSize, config.NumChannels, _patch, _patch, dtype: dtype, device: device));
        RegisterComponents();
    }

    /// <param name="input">Views [V, 3, 336, 336].</param>
    /// <returns>[V, 576, C], row by row.</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var (views, channels) = (input.shape[0], input.shape[1]);
        // [V, 3, 24, 14, 24, 14] → [V, 24, 24, 3, 14, 14] → [V, 576, 588]: a patch's values in the order of the kernel's [C, 3, 14, 14].
        var patches = input.reshape(views, channels, _perSide, _patch, _perSide, _patch).permute(0, 2, 4, 1, 3, 5)
            .reshape(views, _perSide * _perSide, channels * _patch * _patch);
        return nn.functional.linear(patches, weight.view(weight.shape[0], -1)).MoveToOuterDisposeScope();
    }
}

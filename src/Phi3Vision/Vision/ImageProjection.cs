using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Projects merged patches (4C) to the decoder's width (H): Linear, GELU (the exact one, x · Φ(x)), Linear. The components are named 0 and
/// 2, their places in the published checkpoint's sequence.
/// </summary>
internal sealed class ImageProjection : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")]
    private readonly Linear _first;

    [ComponentName(Name = "2")]
    private readonly Linear _second;

    public ImageProjection(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(ImageProjection))
    {
        _first = EmptyLayers.Linear(4 * config.Clip.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        _second = EmptyLayers.Linear(config.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[rows, 4C].</param>
    /// <returns>[rows, H].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return _second.call(nn.functional.gelu(_first.call(input))).MoveToOuterDisposeScope();
    }
}

using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>CLIP's MLP: fc2(quickGELU(fc1(x))), with quickGELU(x) = x · sigmoid(1.702 x).</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;

    public ClipMlp(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipMlp))
    {
        fc1 = EmptyLayers.Linear(config.HiddenSize, config.IntermediateSize, hasBias: true, device, dtype);
        fc2 = EmptyLayers.Linear(config.IntermediateSize, config.HiddenSize, hasBias: true, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var hidden = fc1.call(input);
        return fc2.call(hidden * hidden.Times(1.702).sigmoid()).MoveToOuterDisposeScope();
    }
}

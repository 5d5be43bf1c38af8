using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Gated MLP (SwiGLU, https://arxiv.org/abs/2002.05202): down(up(x) · silu(gate(x))), with gate and up in one projection.
/// </summary>
internal sealed class GatedMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear gate_up_proj;
    private readonly Linear down_proj;
    private readonly int _width;

    public GatedMlp(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(GatedMlp))
    {
        _width = config.IntermediateSize;
        gate_up_proj = EmptyLayers.Linear(config.HiddenSize, 2 * _width, hasBias: false, device, dtype);
        down_proj = EmptyLayers.Linear(_width, config.HiddenSize, hasBias: false, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[B, L, H].</param>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        // [B, L, 2 · width]: the gate in the first half, up in the second.
        var gateAndUp = gate_up_proj.call(input);
        var gated = gateAndUp.narrow(-1, _width, _width) * nn.functional.silu(gateAndUp.narrow(-1, 0, _width));
        return down_proj.call(gated).MoveToOuterDisposeScope();
    }
}

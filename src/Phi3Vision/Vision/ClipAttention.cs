using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Bidirectional self-attention over the positions of a view: softmax(Q · Kᵀ / √d) · V.</summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear q_proj;
    private readonly Linear out_proj;
    private readonly int _heads;

    public ClipAttention(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipAttention))
    {
        Linear Projection() => EmptyLayers.Linear(config.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        _heads = config.NumAttentionHeads;
        (k_proj, v_proj, q_proj, out_proj) = (Projection(), Projection(), Projection(), Projection());
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var attended = nn.functional.scaled_dot_product_attention(Heads(q_proj.call(input)), Heads(k_proj.call(input)), Heads(v_proj.call(input)));
        return out_proj.call(attended.transpose(1, 2).reshape(input.shape)).MoveToOuterDisposeScope();
    }

    // [V, P, C] → [V, heads, P, d].
    private Tensor Heads(Tensor x) => x.view(x.shape[0], x.shape[1], _heads, x.shape[2] / _heads).transpose(1, 2);
}

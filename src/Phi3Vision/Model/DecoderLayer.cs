using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Pre-norm decoder layer: x + attention(norm(x)), then x + MLP(norm(x)).</summary>
internal sealed class DecoderLayer : nn.Module
{
    private readonly SelfAttention self_attn;
    private readonly GatedMlp mlp;
    private readonly RmsNorm input_layernorm;
    private readonly RmsNorm post_attention_layernorm;

    public DecoderLayer(Phi3VisionConfig config, int layer, Device device, ScalarType dtype) : base(nameof(DecoderLayer))
    {
        self_attn = new SelfAttention(config, layer, device, dtype);
        mlp = new GatedMlp(config, device, dtype);
        input_layernorm = new RmsNorm(config.HiddenSize, config.RmsNormEps, device, dtype);
        post_attention_layernorm = new RmsNorm(config.HiddenSize, config.RmsNormEps, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[B, L, H].</param>
    /// <returns>[B, L, H].</returns>
    public Tensor forward(Tensor input, RotaryTables rotary, AttentionMask mask, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var attended = input.Plus(self_attn.forward(input_layernorm.call(input), rotary, mask, cache));
        return attended.Plus(mlp.call(post_attention_layernorm.call(attended))).MoveToOuterDisposeScope();
    }
}

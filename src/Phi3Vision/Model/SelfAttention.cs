using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Causal self-attention with rotary position embedding and grouped-query attention: softmax(Q · Kᵀ / √d + mask) · V, where each key-value
/// head serves a group of query heads.
/// </summary>
internal sealed class SelfAttention : nn.Module
{
    private readonly Linear qkv_proj;
    private readonly Linear o_proj;
    private readonly int _heads;
    private readonly int _keyValueHeads;
    private readonly int _headDim;
    private readonly int _layer;

    public SelfAttention(Phi3VisionConfig config, int layer, Device device, ScalarType dtype) : base(nameof(SelfAttention))
    {
        (_heads, _keyValueHeads, _headDim, _layer) = (config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim, layer);
        qkv_proj = EmptyLayers.Linear(config.HiddenSize, (_heads + 2 * _keyValueHeads) * _headDim, hasBias: false, device, dtype);
        o_proj = EmptyLayers.Linear(_heads * _headDim, config.HiddenSize, hasBias: false, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[B, L, H].</param>
    /// <returns>[B, L, H].</returns>
    public Tensor forward(Tensor input, RotaryTables rotary, AttentionMask mask, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var (batch, length) = (input.shape[0], input.shape[1]);
        // [B, L, H] → [B, heads + 2 · kvHeads, L, d]. The projection's rows are all query heads, then all key heads, then all value heads;
        // queries and keys are adjacent and are rotated together.
        var heads = qkv_proj.call(input).view(batch, length, _heads + 2 * _keyValueHeads, _headDim).transpose(1, 2);
        var rotated = rotary.Apply(heads.narrow(1, 0, _heads + _keyValueHeads));
        var query = rotated.narrow(1, 0, _heads);
        var key = rotated.narrow(1, _heads, _keyValueHeads);
        var value = heads.narrow(1, _heads + _keyValueHeads, _keyValueHeads);
        if (cache is not null) (key, value) = cache.Append(_layer, key, value);
        var attended = mask.Attend(query, ForEveryQueryHead(key), ForEveryQueryHead(value));
        return o_proj.call(attended.transpose(1, 2).reshape(batch, length, _heads * _headDim)).MoveToOuterDisposeScope();
    }

    // Repeats each key-value head for its consecutive query heads: [B, kvHeads, L, d] → [B, heads, L, d].
    private Tensor ForEveryQueryHead(Tensor x)
    {
        if (_keyValueHeads == _heads) return x;
        var group = _heads / _keyValueHeads;
        var (batch, length) = (x.shape[0], x.shape[2]);
        return x.unsqueeze(2).expand(batch, _keyValueHeads, group, length, _headDim).reshape(batch, _heads, length, _headDim);
    }
}

using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Mask that limits a query to the keys of its sample that are not padding and not later than the query.</summary>
internal sealed class AttentionMask
{
    private readonly bool _causal;
    private readonly long[]? _segments;

    private AttentionMask(bool causal, Tensor? bias = null, long[]? segments = null) => (_causal, Bias, _segments) = (causal, bias, segments);

    /// <summary>Bias that is added to the scores, [B or 1, 1, length, cached + length]; null where the causal flag suffices.</summary>
    public Tensor? Bias { get; }

    /// <param name="length">Number of queries of this call.</param>
    /// <param name="cached">Number of keys of earlier calls.</param>
    /// <param name="real">[B, cached + length], 0 for padding; null when nothing is padding.</param>
    public static AttentionMask Create(long length, long cached, Tensor? real, Device device, ScalarType dtype)
    {
        if (real is null && (length == 1 || cached == 0)) return new AttentionMask(causal: length > 1);
        using var scope = NewDisposeScope();
        // Query i has position cached + i and sees keys 0 … cached + i: the keys above that diagonal are blocked.
        var blocked = torch.ones(length, cached + length, dtype: ScalarType.Bool, device: device).triu(cached + 1).view(1, 1, length, cached + length);
        if (real is not null) blocked = blocked.logical_or(real.to(device).logical_not().view(real.shape[0], 1, 1, cached + length));
        // The lowest finite number rather than minus infinity: a query whose keys are all blocked (padding) must not become NaN.
        var bias = torch.zeros(blocked.shape, dtype: dtype, device: device).Masked(blocked, Lowest(dtype));
        return new AttentionMask(causal: false, bias.MoveToOuterDisposeScope());
    }

    /// <summary>
    /// Makes the mask of a pack, samples of these lengths end to end in one row. Attention runs once per sample, so that no mask of all
    /// pairs of positions is needed.
    /// </summary>
    public static AttentionMask OfPack(long[] segments) => new(causal: true, segments: segments);

    /// <summary>Computes softmax(query · keyᵀ / √d + mask) · value, all [B, heads, length, d].</summary>
    public Tensor Attend(Tensor query, Tensor key, Tensor value)
    {
        if (_segments is null) return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask: Bias, is_casual: _causal);
        using var scope = NewDisposeScope();
        // split, not narrow: the gradient of a split is one concatenation; each narrow has a gradient as long as the complete pack.
        var (queries, keys, values) = (query.split(_segments, 2), key.split(_segments, 2), value.split(_segments, 2));
        var attended = _segments.Select((_, i) => nn.functional.scaled_dot_product_attention(queries[i], keys[i], values[i], is_casual: true));
        return torch.cat(attended.ToArray(), dim: 2).MoveToOuterDisposeScope();
    }

    // -(2 - 2⁻¹⁰) · 2¹⁵ for float16, -(2 - 2⁻⁷) · 2¹²⁷ for bfloat16.
    private static double Lowest(ScalarType dtype) => dtype switch
    {
        ScalarType.Float16 => -65504,
        ScalarType.BFloat16 => -3.3895313892515355e38,
        _ => float.MinValue,
    };
}

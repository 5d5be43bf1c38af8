using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Which keys a query sees: those of its sample that are not padding and not later than itself.</summary>
internal sealed class AttentionMask
{
    private readonly bool _causal;
    private readonly long[]? _segments;

    private AttentionMask(bool causal, Tensor? bias = null, long[]? segments = null) => (_causal, Bias, _segments) = (causal, bias, segments);

    /// <summary>Added to the scores: [B or 1, 1, length, cached + length]. Null where causality says it all.</summary>
    public Tensor? Bias { get; }

    /// <param name="length">Queries of this call.</param>
    /// <param name="cached">Keys of earlier calls.</param>
    /// <param name="real">[B, cached + length], 0 for padding; null when nothing is padding.</param>
    public static AttentionMask Create(long length, long cached, Tensor? real, Device device, ScalarType dtype)
    {
        if (real is null && (length == 1 || cached == 0)) return new AttentionMask(causal: length > 1);
        using var scope = NewDisposeScope();
        var blocked = torch.ones(length, cached + length, dtype: ScalarType.Bool, device: device).triu(cached + 1).view(1, 1, length, cached + length);
        if (real is not null) blocked = blocked.logical_or(real.to(device).logical_not().view(real.shape[0], 1, 1, cached + length));
        // The lowest finite number rather than minus infinity: a query that sees nothing (padding) must not become NaN.
        var bias = torch.zeros(blocked.shape, dtype: dtype, device: device).Masked(blocked, Lowest(dtype));
        return new AttentionMask(causal: false, bias.MoveToOuterDisposeScope());
    }

    /// <summary>Samples of these lengths, end to end in one row. No mask of all pairs is made: each sample is attended to by itself.</summary>
    public static AttentionMask OfPack(long[] segments) => new(causal: true, segments: segments);

    /// <summary>softmax(query · keyᵀ / √d + mask) · value, all [B, heads, length, d].</summary>
    public Tensor Attend(Tensor query, Tensor key, Tensor value)
    {
        if (_segments is null) return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask: Bias, is_casual: _causal);
        using var scope = NewDisposeScope();
        // Split and not narrowed: the gradient of a split is one concatenation, that of a narrow is as long as the whole pack.
        var (queries, keys, values) = (query.split(_segments, 2), key.split(_segments, 2), value.split(_segments, 2));
        var attended = _segments.Select((_, i) => nn.functional.scaled_dot_product_attention(queries[i], keys[i], values[i], is_casual: true));
        return torch.cat(attended.ToArray(), dim: 2).MoveToOuterDisposeScope();
    }

    private static double Lowest(ScalarType dtype) => dtype switch
    {
        ScalarType.Float16 => -65504,
        ScalarType.BFloat16 => -3.3895313892515355e38,
        _ => float.MinValue,
    };
}

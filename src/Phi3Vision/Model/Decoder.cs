using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Vision;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// The model below <c>lm_head</c> (the published <c>Phi3VModel</c>): embeddings of text and images, the decoder layers, the final norm. The
/// types of this file follow in the order of the forward pass. B rows, L positions, H the hidden size, d the dimensions of a head.
/// </summary>
internal sealed class Decoder : nn.Module
{
    private readonly EmbeddingTable embed_tokens;
    private readonly ImageEmbedding vision_embed_tokens;
    private readonly ModuleList<DecoderLayer> layers;
    private readonly RmsNorm norm;
    private readonly RotaryEmbedding _rotary;
    private readonly Phi3VisionConfig _config;

    public Decoder(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(Decoder))
    {
        _config = config;
        _rotary = new RotaryEmbedding(config);
        embed_tokens = EmptyLayers.Embedding(config.VocabSize, config.HiddenSize, config.PadTokenId, device, dtype);
        vision_embed_tokens = new ImageEmbedding(config, device, dtype);
        layers = nn.ModuleList(
            Enumerable.Range(0, config.NumHiddenLayers).Select(layer => new DecoderLayer(config, layer, device, dtype)).ToArray());
        norm = new RmsNorm(config.HiddenSize, config.RmsNormEps, device, dtype);
        RegisterComponents();
    }

    /// <summary>Device of the parameters.</summary>
    public Device Device => embed_tokens.weight.device;

    /// <summary>Type of the parameters.</summary>
    public ScalarType Dtype => embed_tokens.weight.dtype;

    internal ImageEmbedding Images => vision_embed_tokens;

    /// <summary>Computes norm(layerₙ(… layer₁(embed(input)))).</summary>
    /// <param name="trace">Keeps the intermediate tensors.</param>
    /// <param name="tape">Records the layers for recomputation in the backward pass.</param>
    /// <param name="positions">Positions whose states are returned, I64 [P] of indices into [B · L]; null for all.</param>
    /// <returns>[B, L, H], or [P, H].</returns>
    public Tensor forward(ModelInput input, KeyValueCache? cache, ForwardTrace? trace, ActivationTape? tape, Tensor? positions)
    {
        using var scope = NewDisposeScope();
        var (device, dtype) = (Device, Dtype);
        var shape = CheckedInput.Create(input, _config, cache);
        var cached = cache?.Length ?? 0;
        var rotary = Rotary(input, shape, cached, device, dtype);
        var mask = shape.Segments is { } segments ? AttentionMask.OfPack(segments)
            : AttentionMask.Create(shape.Length, cached, shape.HasPadding ? input.AttentionMask : null, device, dtype);
        trace?.KeepRotary(rotary);
        // The caller's tensor stays the caller's: the tape frees what it keeps.
        positions = positions?.alias();
        tape?.Keep(rotary.Cos, rotary.Sin, mask.Bias, positions);
        var hidden = Embed(input, shape, device, dtype, trace, tape);
        trace?.KeepEmbedded(hidden);
        foreach (var layer in layers)
        {
            var selected = layer == layers[^1] ? positions : null;
            // Recorded even where the layer's own weights are frozen: adapters on its linear layers are not among its parameters.
            Tensor Run(Tensor x) => layer.forward(x, rotary, mask, cache, selected);
            var next = tape is null ? Run(hidden) : tape.Run(Run, hidden);
            // Frees this handle only: autograd, tape and trace hold what they need. In generation one layer's output is in memory.
            hidden.Dispose();
            hidden = next;
            trace?.KeepLayer(hidden);
        }
        cache?.Advance((int)shape.Length);
        var final = norm.call(hidden);
        trace?.KeepFinal(final);
        if (positions is null) final = final.view([.. input.InputIds.shape, final.shape[^1]]);
        return final.MoveToOuterDisposeScope();
    }

    private RotaryTables Rotary(ModelInput input, CheckedInput shape, int cached, Device device, ScalarType dtype)
    {
        if (shape.Segments is { } segments) return _rotary.TablesOfPack(segments, device, dtype);
        if (input.PositionIds is null) return _rotary.Tables(cached, cached + shape.Length, device, dtype);
        return _rotary.Tables(input.PositionIds, CheckedInput.Values(input.PositionIds).Max() + 1, device, dtype);
    }

    /// <summary>
    /// Embeds text, then writes the image embeddings over the positions with negative ids, in order. The text lookup clamps these ids to 0,
    /// a row of the table that is overwritten.
    /// </summary>
    private Tensor Embed(ModelInput input, CheckedInput shape, Device device, ScalarType dtype, ForwardTrace? trace, ActivationTape? tape)
    {
        using var scope = NewDisposeScope();
        var embedded = embed_tokens.call(input.InputIds.to(device).view(shape.Batch, -1).AtLeast(0));
        if (shape.Grids.Count == 0) return embedded.MoveToOuterDisposeScope();
        var rows = input.ImageFeatures is { } features
            ? vision_embed_tokens.forward([.. features.Select(image => image.to(dtype, device))], shape.Grids)
            : vision_embed_tokens.forward(input.PixelValues!.to(dtype, device), shape.Grids, tape);
        trace?.KeepImages(rows);
        var positions = torch.tensor(shape.ImagePositions, device: device);
        return embedded.flatten(0, 1).index_copy(0, positions, rows).view(embedded.shape).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Pre-norm decoder layer, the published <c>Phi3DecoderLayer</c>: y = x + attention(norm₁(x)), then y + MLP(norm₂(y)).
/// </summary>
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
    /// <param name="positions">Positions to compute beyond their keys and values, as in <see cref="Decoder.forward"/>.</param>
    /// <returns>[B, L, H], or [P, H].</returns>
    public Tensor forward(Tensor input, RotaryTables rotary, AttentionMask mask, KeyValueCache? cache, Tensor? positions)
    {
        using var scope = NewDisposeScope();
        var residual = positions is null ? input : input.flatten(0, 1).index_select(0, positions);
        var attended = residual.Plus(self_attn.forward(input_layernorm.call(input), rotary, mask, cache, positions));
        return attended.Plus(mlp.call(post_attention_layernorm.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// RMSNorm (https://arxiv.org/abs/1910.07467), the published <c>Phi3RMSNorm</c>: weight · x / √(mean(x²) + eps) over the last
/// dimension. The normalisation is computed in float32 and rounded to x's type before the weight.
/// </summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly double _epsilon;

    public RmsNorm(int size, double epsilon, Device device, ScalarType dtype) : base(nameof(RmsNorm))
    {
        _epsilon = epsilon;
        weight = new Parameter(torch.ones(size, dtype: dtype, device: device));
        RegisterComponents();
    }

    /// <param name="input">[…, size].</param>
    /// <returns>[…, size], in the input's type.</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        // Squares of float16 overflow above 255, and a bfloat16 mean loses digits: hence float32.
        var x = input.to(ScalarType.Float32);
        var normalized = x * x.Squared().mean([-1], keepdim: true).Plus(_epsilon).rsqrt();
        return (normalized.to(input.dtype) * weight).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Causal self-attention (the published <c>Phi3Attention</c>) with rotary position embedding and grouped-query attention
/// (https://arxiv.org/abs/2305.13245): W_o · softmax(Q · Kᵀ / √d + mask) · V, where each key-value head serves a group of query
/// heads.
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
        _heads = config.NumAttentionHeads;
        _keyValueHeads = config.NumKeyValueHeads;
        _headDim = config.HeadDim;
        _layer = layer;
        qkv_proj = EmptyLayers.Linear(config.HiddenSize, (_heads + 2 * _keyValueHeads) * _headDim, hasBias: false, device, dtype);
        o_proj = EmptyLayers.Linear(_heads * _headDim, config.HiddenSize, hasBias: false, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[B, L, H].</param>
    /// <param name="positions">Positions whose output is returned, as in <see cref="Decoder.forward"/>.</param>
    /// <returns>[B, L, H], or [P, H].</returns>
    public Tensor forward(Tensor input, RotaryTables rotary, AttentionMask mask, KeyValueCache? cache, Tensor? positions)
    {
        using var scope = NewDisposeScope();
        var (batch, length) = (input.shape[0], input.shape[1]);
        // [B, L, H] → [B, L, heads + 2 · kvHeads, d]. The projection's rows are all query heads, then all key heads, then all value
        // heads; queries and keys are adjacent and are rotated together.
        var heads = qkv_proj.call(input).view(batch, length, _heads + 2 * _keyValueHeads, _headDim)
            .split([_heads + _keyValueHeads, _keyValueHeads], 2);
        var rotated = rotary.Apply(heads[0]).transpose(1, 2).split([_heads, _keyValueHeads], 1);
        var (query, key, value) = (rotated[0], rotated[1], heads[1].transpose(1, 2));
        // Cached keys keep their rotation, also when later positions switch to the long factors, as in the published code.
        if (cache is not null) (key, value) = cache.Append(_layer, key, value);
        var attended = mask.Attend(query, ForEveryQueryHead(key), ForEveryQueryHead(value));
        var joined = attended.transpose(1, 2).reshape(batch, length, _heads * _headDim);
        if (positions is not null) joined = joined.flatten(0, 1).index_select(0, positions);
        return o_proj.call(joined).MoveToOuterDisposeScope();
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

/// <summary>
/// Rotary position embedding (https://arxiv.org/abs/2104.09864) with <c>su</c> scaling (LongRoPE, https://arxiv.org/abs/2402.13753; the
/// published <c>Phi3SuScaledRotaryEmbedding</c>): the angle of pair i at position p is p / (factorᵢ · θ^(2i/d)). The short factors
/// apply while all positions of a call (of a sample in a pack) are within the original range, the long factors otherwise; cosines and
/// sines are scaled by √(1 + ln(max/original) / ln(original)).
/// </summary>
internal sealed class RotaryEmbedding
{
    private readonly float[] _short;
    private readonly float[] _long;
    private readonly long _originalPositions;
    private readonly double _scale;

    public RotaryEmbedding(Phi3VisionConfig config)
    {
        _short = InverseFrequencies(config, config.RopeScaling?.ShortFactor);
        _long = InverseFrequencies(config, config.RopeScaling?.LongFactor);
        _originalPositions = config.OriginalMaxPositionEmbeddings;
        var extension = config.MaxPositionEmbeddings / (double)config.OriginalMaxPositionEmbeddings;
        _scale = config.RopeScaling is null || extension <= 1
            ? 1
            : Math.Sqrt(1 + Math.Log(extension) / Math.Log(config.OriginalMaxPositionEmbeddings));
    }

    /// <summary>Makes the tables of given positions.</summary>
    /// <param name="positions">Positions, I64 [1 or B, L].</param>
    /// <param name="end">Largest position plus one, which selects the short or the long factors for the complete call.</param>
    public RotaryTables Tables(Tensor positions, long end, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var frequencies = torch.tensor(end > _originalPositions ? _long : _short, device: device);
        // [1 or B, L, 1, d/2]. Position · frequency is rounded to float32 before the cosine, as in the published code; from about position
        // 4000 the rounding is visible in the result.
        var angles = positions.to(device).to(ScalarType.Float32).unsqueeze(-1).unsqueeze(-1) * frequencies;
        var (cos, sin) = (angles.cos().Times(_scale).to(dtype), angles.sin().Times(_scale).to(dtype));
        return new RotaryTables(
            torch.cat([cos, cos], dim: -1).MoveToOuterDisposeScope(), torch.cat([sin.neg(), sin], dim: -1).MoveToOuterDisposeScope());
    }

    /// <summary>Makes the tables of consecutive positions from start to end (exclusive), the same in every row.</summary>
    public RotaryTables Tables(long start, long end, Device device, ScalarType dtype)
    {
        using var positions = torch.tensor(Enumerable.Range((int)start, (int)(end - start)).Select(i => (long)i).ToArray(), device: device);
        using var row = positions.unsqueeze(0);
        return Tables(row, end, device, dtype);
    }

    /// <summary>
    /// Makes the tables of a pack, samples of these lengths end to end in one row: each sample counts from 0 and selects its factors by its
    /// own length.
    /// </summary>
    public RotaryTables TablesOfPack(IReadOnlyList<long> segments, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var tables = segments.Distinct().ToDictionary(length => length, length => Tables(0, length, device, dtype));
        Tensor Packed(Func<RotaryTables, Tensor> part) =>
            torch.cat([.. segments.Select(length => part(tables[length]))], dim: 1).MoveToOuterDisposeScope();
        return new RotaryTables(Packed(table => table.Cos), Packed(table => table.Sin));
    }

    // 1 / (factorᵢ · θ^(2i/d)) for i = 0 … d/2 - 1; every factor is 1 without scaling.
    private static float[] InverseFrequencies(Phi3VisionConfig config, IReadOnlyList<double>? factors)
    {
        using var scope = NewDisposeScope();
        var pairs = config.HeadDim / 2;
        // Float32 and the engine's own power function, as in the published code: a difference in a frequency's last bit grows to 1e-5 at
        // position 300.
        var exponents = torch.tensor(Enumerable.Range(0, pairs).Select(i => 2f * i).ToArray()).Over(config.HeadDim);
        var factor = torch.tensor((factors?.Select(f => (float)f) ?? Enumerable.Repeat(1f, pairs)).ToArray());
        var theta = torch.tensor(Enumerable.Repeat((float)config.RopeTheta, pairs).ToArray());
        return (factor * theta.pow(exponents)).reciprocal().data<float>().ToArray();
    }
}

/// <summary>
/// Cosines and sines of the rotary angles of one call, each [1 or B, L, 1, d], d the dimensions of a head. Dimensions i and i + d/2 have
/// the same angle; the sines of the first half are negated.
/// </summary>
internal sealed record RotaryTables(Tensor Cos, Tensor Sin)
{
    /// <summary>
    /// Rotates heads, [B, L, heads, d]: (x₁, x₂) → (x₁ cos - x₂ sin, x₂ cos + x₁ sin), where dimension i is paired with
    /// dimension i + d/2 (the published <c>apply_rotary_pos_emb</c>).
    /// </summary>
    public Tensor Apply(Tensor heads)
    {
        using var scope = NewDisposeScope();
        // (x₁, x₂) → (x₂, x₁).
        var swapped = heads.roll(heads.shape[^1] / 2, -1);
        return (heads * Cos).Add(swapped * Sin).MoveToOuterDisposeScope();
    }
}

/// <summary>Mask that limits a query to the keys of its sample that are not padding and not later than the query.</summary>
internal sealed class AttentionMask
{
    private readonly bool _causal;
    private readonly long[]? _segments;

    private AttentionMask(bool causal, Tensor? bias = null, long[]? segments = null)
    {
        _causal = causal;
        Bias = bias;
        _segments = segments;
    }

    /// <summary>Bias that is added to the scores, [B or 1, 1, length, cached + length]; null where the causal flag suffices.</summary>
    public Tensor? Bias { get; }

    /// <summary>Makes the mask of a batch.</summary>
    /// <param name="length">Number of queries of this call.</param>
    /// <param name="cached">Number of keys of earlier calls.</param>
    /// <param name="real">[B, cached + length], 0 for padding; null when nothing is padding.</param>
    public static AttentionMask Create(long length, long cached, Tensor? real, Device device, ScalarType dtype)
    {
        // One query sees every key, and needs no mask. The library's causal flag aligns its diagonal to the top left corner, which is right
        // only without cached keys.
        if (real is null && (length == 1 || cached == 0)) return new AttentionMask(causal: length > 1);
        using var scope = NewDisposeScope();
        // Query i has position cached + i and sees keys 0 … cached + i: the keys above that diagonal are blocked.
        var blocked = torch.ones(length, cached + length, dtype: ScalarType.Bool, device: device)
            .triu(cached + 1)
            .view(1, 1, length, cached + length);
        // [1, 1, L, cached + L] or [B, 1, 1, cached + L] → [B, 1, L, cached + L].
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
        var attended = _segments.Select((_, i) =>
            nn.functional.scaled_dot_product_attention(queries[i], keys[i], values[i], is_casual: true));
        return torch.cat(attended.ToArray(), dim: 2).MoveToOuterDisposeScope();
    }

    // PyTorch's finfo(dtype).min, with which the transformers library fills its masks:
    // -(2 - 2⁻¹⁰) · 2¹⁵ for float16, -(2 - 2⁻⁷) · 2¹²⁷ for bfloat16.
    private static double Lowest(ScalarType dtype) => dtype switch
    {
        ScalarType.Float16 => -65504,
        ScalarType.BFloat16 => -3.3895313892515355e38,
        _ => float.MinValue,
    };
}

/// <summary>
/// Gated MLP (SwiGLU, https://arxiv.org/abs/2002.05202; the published <c>Phi3MLP</c>): down(up(x) · silu(gate(x))), with gate and up in
/// one projection and silu(x) = x · sigmoid(x).
/// </summary>
internal sealed class GatedMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear gate_up_proj;
    private readonly Linear down_proj;

    public GatedMlp(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(GatedMlp))
    {
        gate_up_proj = EmptyLayers.Linear(config.HiddenSize, 2 * config.IntermediateSize, hasBias: false, device, dtype);
        down_proj = EmptyLayers.Linear(config.IntermediateSize, config.HiddenSize, hasBias: false, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[B, L, H].</param>
    /// <returns>[B, L, H].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        // […, 2 · width]: the gate in the first half, up in the second.
        var gateAndUp = gate_up_proj.call(input).chunk(2, -1);
        return down_proj.call(gateAndUp[1] * nn.functional.silu(gateAndUp[0])).MoveToOuterDisposeScope();
    }
}

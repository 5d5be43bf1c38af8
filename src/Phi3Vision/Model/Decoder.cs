using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Embeddings of text and images, the decoder layers and the final norm: everything below <c>lm_head</c>.</summary>
internal sealed class Decoder : nn.Module
{
    private readonly Embedding embed_tokens;
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
        layers = nn.ModuleList(Enumerable.Range(0, config.NumHiddenLayers).Select(layer => new DecoderLayer(config, layer, device, dtype)).ToArray());
        norm = new RmsNorm(config.HiddenSize, config.RmsNormEps, device, dtype);
        RegisterComponents();
    }

    /// <summary>Where the parameters are.</summary>
    public Device Device => embed_tokens.weight!.device;

    /// <summary>The parameters' type.</summary>
    public ScalarType Dtype => embed_tokens.weight!.dtype;

    internal ImageEmbedding Images => vision_embed_tokens;

    /// <param name="trace">Keeps what is computed on the way.</param>
    /// <returns>[B, L, H].</returns>
    public Tensor forward(ModelInput input, KeyValueCache? cache, ForwardTrace? trace = null)
    {
        using var scope = NewDisposeScope();
        var (device, dtype) = (Device, Dtype);
        var shape = CheckedInput.Create(input, _config, cache);
        var cached = cache?.Length ?? 0;
        var positions = input.PositionIds ?? torch.arange(cached, cached + shape.Length, dtype: ScalarType.Int64, device: device).unsqueeze(0);
        var end = input.PositionIds is null ? cached + shape.Length : CheckedInput.Values(input.PositionIds).Max() + 1;
        var rotary = _rotary.Tables(positions, end, device, dtype);
        var mask = AttentionMask.Create(shape.Length, cached, shape.HasPadding ? input.AttentionMask : null, device, dtype);
        trace?.KeepRotary(rotary);
        var hidden = Embed(input, shape, device, dtype, trace);
        trace?.KeepEmbedded(hidden);
        foreach (var layer in layers)
        {
            var next = layer.forward(hidden, rotary, mask, cache);
            hidden.Dispose();
            hidden = next;
            trace?.KeepLayer(hidden);
        }
        cache?.Advance((int)shape.Length);
        var final = norm.call(hidden);
        trace?.KeepFinal(final);
        return final.MoveToOuterDisposeScope();
    }

    /// <summary>Text embeddings with the rows of the images written over the negative ids, in order.</summary>
    private Tensor Embed(ModelInput input, CheckedInput shape, Device device, ScalarType dtype, ForwardTrace? trace)
    {
        using var scope = NewDisposeScope();
        var embedded = embed_tokens.call(input.InputIds.to(device).clamp_min(0));
        if (shape.Grids.Count == 0) return embedded.MoveToOuterDisposeScope();
        var rows = vision_embed_tokens.forward(input.PixelValues!.to(dtype, device), shape.Grids);
        trace?.KeepImages(rows);
        var positions = torch.tensor(shape.ImagePositions, device: device);
        return embedded.flatten(0, 1).index_copy(0, positions, rows).view(embedded.shape).MoveToOuterDisposeScope();
    }
}

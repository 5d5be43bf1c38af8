using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The model below <c>lm_head</c>: embeddings of text and images, the decoder layers and the final norm.</summary>
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
        layers = nn.ModuleList(Enumerable.Range(0, config.NumHiddenLayers).Select(layer => new DecoderLayer(config, layer, device, dtype)).ToArray());
        norm = new RmsNorm(config.HiddenSize, config.RmsNormEps, device, dtype);
        RegisterComponents();
    }

    /// <summary>Device of the parameters.</summary>
    public Device Device => embed_tokens.weight.device;

    /// <summary>Type of the parameters.</summary>
    public ScalarType Dtype => embed_tokens.weight.dtype;

    internal ImageEmbedding Images => vision_embed_tokens;

    /// <param name="trace">Keeps the intermediate tensors.</param>
    /// <param name="tape">Records the layers for recomputation in the backward pass.</param>
    /// <returns>[B, L, H].</returns>
    public Tensor forward(ModelInput input, KeyValueCache? cache, ForwardTrace? trace, ActivationTape? tape)
    {
        using var scope = NewDisposeScope();
        var (device, dtype) = (Device, Dtype);
        var shape = CheckedInput.Create(input, _config, cache);
        var cached = cache?.Length ?? 0;
        var rotary = Rotary(input, shape, cached, device, dtype);
        var mask = shape.Segments is { } segments ? AttentionMask.OfPack(segments)
            : AttentionMask.Create(shape.Length, cached, shape.HasPadding ? input.AttentionMask : null, device, dtype);
        trace?.KeepRotary(rotary);
        tape?.Keep(rotary.Cos, rotary.Sin, mask.Bias);
        var hidden = Embed(input, shape, device, dtype, trace, tape);
        trace?.KeepEmbedded(hidden);
        foreach (var layer in layers)
        {
            // Recorded even where the layer's own weights are frozen: adapters on its linear layers are not among its parameters.
            Tensor Run(Tensor x) => layer.forward(x, rotary, mask, cache);
            var next = tape is null ? Run(hidden) : tape.Run(Run, hidden);
            hidden.Dispose();
            hidden = next;
            trace?.KeepLayer(hidden);
        }
        cache?.Advance((int)shape.Length);
        var final = norm.call(hidden);
        trace?.KeepFinal(final);
        return final.view([.. input.InputIds.shape, final.shape[^1]]).MoveToOuterDisposeScope();
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

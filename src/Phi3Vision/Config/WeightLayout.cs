using static FunctionsPipeline.Phi3Vision.Config.ModelPart;
using static FunctionsPipeline.Phi3Vision.Config.WeightRole;

namespace FunctionsPipeline.Phi3Vision.Config;

/// <summary>
/// Computes names and shapes of all weights of a configuration, in the order of the published checkpoint. No model is needed in memory, so
/// that a checkpoint can be checked, counted and written by arithmetic alone.
/// </summary>
public static class WeightLayout
{
    private const string Vision = "model.vision_embed_tokens";
    private const string Tower = Vision + ".img_processor.vision_model";

    /// <summary>Maps the name of every weight to its part of the model.</summary>
    /// <param name="config">A valid configuration.</param>
    public static IReadOnlyDictionary<string, ModelPart> PartsByName(Phi3VisionConfig config) =>
        Of(config).ToDictionary(weight => weight.Name, weight => weight.Part, StringComparer.Ordinal);

    /// <summary>Lists every weight, in the order of the published checkpoint.</summary>
    /// <param name="config">A valid configuration.</param>
    internal static IReadOnlyList<WeightSpec> Of(Phi3VisionConfig config)
    {
        long width = config.HiddenSize;
        return
        [
            new("model.embed_tokens.weight", [config.VocabSize, width], Embeddings, Embedding),
            .. Images(config),
            .. Enumerable.Range(0, config.NumHiddenLayers).SelectMany(layer => DecoderLayer(config, $"model.layers.{layer}")),
            new("model.norm.weight", [width], FinalNorm, Gain),
            new("lm_head.weight", [config.VocabSize, width], Head, Embedding),
        ];
    }

    private static IEnumerable<WeightSpec> Images(Phi3VisionConfig config)
    {
        var clip = config.Clip;
        long features = clip.HiddenSize, merged = 4 * features, width = config.HiddenSize;
        long side = clip.PatchSize, patches = clip.ImageSize / clip.PatchSize;
        return
        [
            new($"{Vision}.glb_GN", [1, 1, merged], Projector, Embedding),
            new($"{Vision}.sub_GN", [1, 1, 1, merged], Projector, Embedding),
            new($"{Tower}.embeddings.class_embedding", [features], VisionTower, Embedding),
            new($"{Tower}.embeddings.patch_embedding.weight", [features, clip.NumChannels, side, side], VisionTower, Matrix),
            new($"{Tower}.embeddings.position_embedding.weight", [patches * patches + 1, features], VisionTower, Embedding),
            .. Norm($"{Tower}.pre_layrnorm", features),
            .. Enumerable.Range(0, clip.NumHiddenLayers).SelectMany(layer => ClipLayer(clip, $"{Tower}.encoder.layers.{layer}")),
            .. Norm($"{Tower}.post_layernorm", features),
            .. Linear($"{Vision}.img_projection.0", merged, width, Projector),
            .. Linear($"{Vision}.img_projection.2", width, width, Projector),
        ];
    }

    private static IEnumerable<WeightSpec> ClipLayer(ClipConfig clip, string name)
    {
        long width = clip.HiddenSize, inner = clip.IntermediateSize;
        return
        [
            // The order of the transformers library's CLIPAttention: keys, values, queries, output.
            .. Linear($"{name}.self_attn.k_proj", width, width, VisionTower),
            .. Linear($"{name}.self_attn.v_proj", width, width, VisionTower),
            .. Linear($"{name}.self_attn.q_proj", width, width, VisionTower),
            .. Linear($"{name}.self_attn.out_proj", width, width, VisionTower),
            .. Norm($"{name}.layer_norm1", width),
            .. Linear($"{name}.mlp.fc1", width, inner, VisionTower),
            .. Linear($"{name}.mlp.fc2", inner, width, VisionTower),
            .. Norm($"{name}.layer_norm2", width),
        ];
    }

    private static IEnumerable<WeightSpec> DecoderLayer(Phi3VisionConfig config, string name)
    {
        long width = config.HiddenSize, inner = config.IntermediateSize, head = config.HeadDim;
        long queries = config.NumAttentionHeads * head, keysAndValues = 2 * config.NumKeyValueHeads * head;
        return
        [
            new($"{name}.self_attn.o_proj.weight", [width, queries], DecoderLayers, Matrix),
            new($"{name}.self_attn.qkv_proj.weight", [queries + keysAndValues, width], DecoderLayers, Matrix),
            new($"{name}.mlp.gate_up_proj.weight", [2 * inner, width], DecoderLayers, Matrix),
            new($"{name}.mlp.down_proj.weight", [width, inner], DecoderLayers, Matrix),
            new($"{name}.input_layernorm.weight", [width], DecoderLayers, Gain),
            new($"{name}.post_attention_layernorm.weight", [width], DecoderLayers, Gain),
        ];
    }

    private static IEnumerable<WeightSpec> Linear(string name, long inputs, long outputs, ModelPart part) =>
        [new($"{name}.weight", [outputs, inputs], part, Matrix), new($"{name}.bias", [outputs], part, Bias)];

    private static IEnumerable<WeightSpec> Norm(string name, long width) =>
        [new($"{name}.weight", [width], VisionTower, Gain), new($"{name}.bias", [width], VisionTower, Bias)];
}

/// <summary>Name, shape and use of a weight that a configuration requires.</summary>
/// <param name="Name">Name in the published checkpoint.</param>
/// <param name="Shape">Dimensions, outputs before inputs.</param>
/// <param name="Part">Part of the model that the weight belongs to.</param>
/// <param name="Role">Use of the weight in the computation.</param>
internal sealed record WeightSpec(string Name, IReadOnlyList<long> Shape, ModelPart Part, WeightRole Role)
{
    /// <summary>Number of values.</summary>
    /// <exception cref="OverflowException">The product of the dimensions exceeds 64 bits.</exception>
    public long Count => Shape.Aggregate(1L, (product, side) => checked(product * side));
}

/// <summary>Use of a weight in the computation, which decides how a random one is drawn.</summary>
internal enum WeightRole
{
    /// <summary>Multiplies inputs; [outputs, inputs].</summary>
    Matrix,

    /// <summary>Shifts outputs.</summary>
    Bias,

    /// <summary>Scales normalised values.</summary>
    Gain,

    /// <summary>Holds vectors that are looked up or inserted unchanged.</summary>
    Embedding,
}

/// <summary>Part of the model that a weight belongs to.</summary>
public enum ModelPart
{
    /// <summary>CLIP vision tower: <c>img_processor</c>.</summary>
    VisionTower,

    /// <summary>
    /// Projection of patch features to the decoder's width: <c>img_projection</c> and the separators <c>glb_GN</c> and <c>sub_GN</c>.
    /// </summary>
    Projector,

    /// <summary>Token embedding table: <c>embed_tokens</c>.</summary>
    Embeddings,

    /// <summary>Attention, MLP and norms of every decoder layer.</summary>
    DecoderLayers,

    /// <summary>Norm after the last decoder layer.</summary>
    FinalNorm,

    /// <summary>Projection of the final hidden state to logits: <c>lm_head</c>.</summary>
    Head,
}

using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// What a model must read and compute at the least, from its dimensions. Only matrix products count; a product of m×k and k×n costs 2·m·k·n
/// operations.
/// </summary>
internal sealed class ModelCost(Phi3VisionConfig config)
{
    private const int TokensOfView = 577;
    private const int Bf16 = 2;

    private readonly IReadOnlyList<WeightSpec> _weights = WeightLayout.Of(config);

    /// <summary>Bytes that one token of generation at batch 1 reads, in bf16: decoder, head, and the keys and values so far.</summary>
    /// <param name="context">Positions before it.</param>
    public double BytesOfToken(double context) =>
        Bf16 * Count(ModelPart.DecoderLayers, ModelPart.FinalNorm, ModelPart.Head) + context * new MemoryNeeds(config, 0).CacheBf16(1);

    /// <summary>Operations of reading a prompt and giving the logits of its last position.</summary>
    /// <param name="tokens">Positions of the prompt.</param>
    /// <param name="imageTokens">Those of images among them.</param>
    /// <param name="views">Views of all images.</param>
    public double OperationsOfPrompt(double tokens, double imageTokens, double views)
    {
        // The last CLIP layer is not run. Attention is causal: half of the scores.
        var clip = config.Clip;
        var clipLayers = clip.NumHiddenLayers - 1.0;
        var decoder = 2 * tokens * Matrices(ModelPart.DecoderLayers) + config.NumHiddenLayers * 2 * tokens * tokens * config.HiddenSize;
        var tower = views * TokensOfView * clipLayers * (2 * ClipLayerMatrices() + 4.0 * TokensOfView * clip.HiddenSize);
        var projector = 2 * imageTokens * Matrices(ModelPart.Projector);
        return decoder + tower + projector + 2.0 * Count(ModelPart.Head);
    }

    private double ClipLayerMatrices() =>
        _weights.Where(weight => weight.Role == WeightRole.Matrix && weight.Name.Contains(".encoder.layers.0."))
            .Sum(weight => weight.Count);

    private double Matrices(ModelPart part) =>
        _weights.Where(weight => weight.Part == part && weight.Role == WeightRole.Matrix).Sum(weight => weight.Count);

    private double Count(params ModelPart[] parts) => _weights.Where(weight => parts.Contains(weight.Part)).Sum(weight => weight.Count);
}

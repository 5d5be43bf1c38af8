namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Lower bounds of the bytes and operations of a model, from its dimensions. Only matrix products count: a product of m×k and k×n takes
/// 2·m·k·n operations. Recomputation to save memory does not count (as in https://arxiv.org/abs/2204.02311, appendix B).
/// </summary>
public sealed class ModelCost
{
    private const int TokensOfView = 577;
    private const int Bf16 = 2;

    private readonly Phi3VisionConfig _config;
    private readonly IReadOnlyList<WeightSpec> _weights;
    private readonly double _decoder, _projector, _head, _clipLayer;

    public ModelCost(Phi3VisionConfig config)
    {
        (_config, _weights) = (config, WeightLayout.Of(config));
        (_decoder, _projector, _head) = (Matrices(ModelPart.DecoderLayers), Matrices(ModelPart.Projector), Count(ModelPart.Head));
        _clipLayer = _weights.Where(weight => weight.Role == WeightRole.Matrix && weight.Name.Contains(".encoder.layers.0.")).Sum(weight => weight.Count);
    }

    /// <summary>Computes the bytes read to generate one token at batch 1: decoder, head, and the keys and values so far.</summary>
    /// <param name="context">Number of positions before the token.</param>
    /// <param name="valueBytes">Bytes of a value: 2 for bf16, 4 for float32.</param>
    public double BytesOfToken(double context, int valueBytes = Bf16) =>
        valueBytes * (Count(ModelPart.DecoderLayers, ModelPart.FinalNorm, ModelPart.Head)
            + context * new MemoryNeeds(_config, 0).CacheBf16(1) / Bf16);

    /// <summary>Computes the operations to process a prompt and produce the logits of its last positions.</summary>
    /// <param name="tokens">Number of positions of the prompt.</param>
    /// <param name="imageTokens">Number of those that are image positions.</param>
    /// <param name="views">Number of views of all images.</param>
    /// <param name="logits">Number of positions whose logits are computed.</param>
    public double OperationsOfPrompt(double tokens, double imageTokens, double views, double logits = 1) =>
        Decoder(tokens) + Attention(tokens * tokens) + Tower(views) + Projector(imageTokens) + Head(logits);

    /// <summary>
    /// Computes the operations of one training step: one forward, one backward through the activations of every part that gradients pass,
    /// and one more through the weights of every trained part. Attention scores have no weights; their backward takes twice their forward.
    /// </summary>
    public double OperationsOfStep(StepSize size, TrainedParts trained)
    {
        // Everything trainable lies at or below the decoder's layers, so gradients always pass through the layers and the head.
        var decoder = (trained.Decoder ? 3 : 2) * (Decoder(size.Tokens) + Head(size.Labels)) + 3 * Attention(size.SquaredLengths);
        // 2 operations per adapter value and token, times 3 as for any trained weight: forward, gradients of the input and of the weight.
        var adapters = 6.0 * trained.AdapterValues * size.Tokens;
        var projector = (1 + (trained.Projector ? 1 : 0) + (trained.VisionTower ? 1 : 0)) * Projector(size.ImageTokens);
        var tower = (trained.VisionTower ? 3 : 1) * Tower(size.Views);
        return decoder + adapters + projector + tower;
    }

    private double Decoder(double tokens) => 2 * tokens * _decoder;

    // Two products, Q · Kᵀ and weights · V, each 2 · L² · H operations; the causal mask halves them.
    private double Attention(double squaredLengths) => _config.NumHiddenLayers * 2 * squaredLengths * _config.HiddenSize;

    // The last CLIP layer is not run. Attention without a mask: two products of 2 · 577² · C operations.
    private double Tower(double views) =>
        views * TokensOfView * (_config.Clip.NumHiddenLayers - 1.0) * (2 * _clipLayer + 4.0 * TokensOfView * _config.Clip.HiddenSize);

    private double Projector(double imageTokens) => 2 * imageTokens * _projector;

    private double Head(double positions) => 2 * positions * _head;

    private double Matrices(ModelPart part) =>
        _weights.Where(weight => weight.Part == part && weight.Role == WeightRole.Matrix).Sum(weight => weight.Count);

    private double Count(params ModelPart[] parts) => _weights.Where(weight => parts.Contains(weight.Part)).Sum(weight => weight.Count);
}

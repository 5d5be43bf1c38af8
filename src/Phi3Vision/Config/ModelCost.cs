namespace FunctionsPipeline.Phi3Vision.Config;

/// <summary>
/// Lower bounds of the bytes and operations of a model, from its dimensions. Only matrix products count: a product of m×k and k×n takes
/// 2·m·k·n operations. Recomputation to save memory does not count (as in https://arxiv.org/abs/2204.02311, appendix B).
/// </summary>
public sealed class ModelCost
{
    // The class token and (336 / 14)² = 576 patches.
    private const int TokensOfView = 577;
    private const int Bf16 = 2;

    private readonly Phi3VisionConfig _config;
    private readonly IReadOnlyList<WeightSpec> _weights;
    private readonly double _decoder, _outputs, _projector, _head, _clipLayer;

    public ModelCost(Phi3VisionConfig config)
    {
        _config = config;
        _weights = WeightLayout.Of(config);
        _decoder = Matrices(ModelPart.DecoderLayers);
        // What follows the attention in the last layer: computed at the positions whose logits are.
        _outputs = _weights
            .Where(weight => weight.Role == WeightRole.Matrix && weight.Name.Contains($".layers.{config.NumHiddenLayers - 1}.")
                && weight.Part == ModelPart.DecoderLayers && !weight.Name.Contains("qkv_proj"))
            .Sum(weight => weight.Count);
        _projector = Matrices(ModelPart.Projector);
        // All values: lm_head has the role of an embedding, which Matrices leaves out.
        _head = Count(ModelPart.Head);
        _clipLayer = _weights
            .Where(weight => weight.Role == WeightRole.Matrix && weight.Name.Contains(".encoder.layers.0."))
            .Sum(weight => weight.Count);
    }

    /// <summary>Computes the bytes read to generate one token at batch 1: decoder, head, and the keys and values so far.</summary>
    /// <param name="context">Number of positions before the token.</param>
    /// <param name="valueBytes">Bytes of a value: 2 for bf16, 4 for float32.</param>
    public double BytesOfToken(double context, int valueBytes = Bf16) =>
        // The embedding table is left out, as one row of it is read. CacheBf16(1) / 2 is the number of cached values of a position.
        valueBytes * (Count(ModelPart.DecoderLayers, ModelPart.FinalNorm, ModelPart.Head)
            + context * new MemoryNeeds(_config, 0).CacheBf16(1) / Bf16);

    /// <summary>Computes the operations to process a prompt and produce the logits of its last positions.</summary>
    /// <param name="tokens">Number of positions of the prompt.</param>
    /// <param name="imageTokens">Number of those that are image positions.</param>
    /// <param name="views">Number of views of all images.</param>
    /// <param name="logits">Number of positions whose logits are computed.</param>
    public double OperationsOfPrompt(double tokens, double imageTokens, double views, double logits = 1) =>
        Decoder(tokens, logits) + Attention(tokens * tokens) + Tower(views) + Projector(imageTokens) + Head(logits);

    /// <summary>
    /// Computes the operations of one training step: one forward, one backward through the activations of every part that gradients pass,
    /// and one more through the weights of every trained part. Attention scores have no weights; their backward takes twice their forward.
    /// </summary>
    public double OperationsOfStep(StepSize size, TrainedParts trained)
    {
        // Everything trainable lies at or below the decoder's layers, so gradients always pass through the layers and the head.
        var decoder = (trained.Decoder ? 3 : 2) * (Decoder(size.Tokens, size.Labels) + Head(size.Labels))
            + 3 * Attention(size.SquaredLengths);
        // 2 operations per adapter value and token, times 3 as for any trained weight: forward, gradients of the input and of the weight.
        var adapters = 6.0 * trained.AdapterValues * size.Tokens;
        var projector = (1 + (trained.Projector ? 1 : 0) + (trained.VisionTower ? 1 : 0)) * Projector(size.ImageTokens);
        var tower = (trained.VisionTower ? 3 : 1) * Tower(size.Views);
        return decoder + adapters + projector + tower;
    }

    private double Decoder(double tokens, double outputs) => 2 * (tokens * (_decoder - _outputs) + outputs * _outputs);

    // Two products, Q · Kᵀ and weights · V, each 2 · L² · H operations; the causal mask halves them.
    private double Attention(double squaredLengths) => _config.NumHiddenLayers * 2 * squaredLengths * _config.HiddenSize;

    // The last CLIP layer is not run. Attention without a mask: two products of 2 · 577² · C operations.
    // The patch embedding, 588 · C values, is left out: 0.2 % of the tower's products in ViT-L/14.
    private double Tower(double views) =>
        views * TokensOfView * (_config.Clip.NumHiddenLayers - 1.0) * (2 * _clipLayer + 4.0 * TokensOfView * _config.Clip.HiddenSize);

    private double Projector(double imageTokens) => 2 * imageTokens * _projector;

    private double Head(double positions) => 2 * positions * _head;

    private double Matrices(ModelPart part) =>
        _weights.Where(weight => weight.Part == part && weight.Role == WeightRole.Matrix).Sum(weight => weight.Count);

    private double Count(params ModelPart[] parts) => _weights.Where(weight => parts.Contains(weight.Part)).Sum(weight => weight.Count);
}

/// <summary>Size of a training step's computation, without padding.</summary>
/// <param name="Tokens">Number of positions, those of images included.</param>
/// <param name="SquaredLengths">Sum of the squares of the samples' lengths: attention stays within a sample.</param>
/// <param name="ImageTokens">Number of image positions.</param>
/// <param name="Views">Number of views that the vision tower processes; 0 where its features are cached.</param>
/// <param name="Labels">Number of positions whose logits are computed.</param>
public readonly record struct StepSize(double Tokens, double SquaredLengths, double ImageTokens, double Views, double Labels)
{
    /// <summary>Makes the size of one sample; the size of a step is the sum over its samples.</summary>
    public static StepSize Sample(int tokens, int imageTokens, int views, int labels) =>
        new(tokens, (double)tokens * tokens, imageTokens, views, labels);

    public static StepSize operator +(StepSize a, StepSize b) => new(
        a.Tokens + b.Tokens, a.SquaredLengths + b.SquaredLengths, a.ImageTokens + b.ImageTokens, a.Views + b.Views, a.Labels + b.Labels);
}

/// <summary>Parts of the model that a training step changes.</summary>
/// <param name="Decoder">True when the decoder's layers and the head are trained.</param>
/// <param name="AdapterValues">Number of values of all low-rank adapters of the decoder's layers.</param>
public sealed record TrainedParts(bool Decoder, bool Projector, bool VisionTower, long AdapterValues = 0);

/// <summary>
/// Bytes of memory that a model takes, from its dimensions. Activations, which depend on batch and images, come on top.
/// </summary>
/// <param name="Config">The model's configuration.</param>
/// <param name="ParameterCount">Number of values of all weights.</param>
public sealed record MemoryNeeds(Phi3VisionConfig Config, long ParameterCount)
{
    private const int Half = 2;
    private const int Full = 4;

    /// <summary>Bytes of the weights in bf16 or fp16: the need of generation besides the cache.</summary>
    public long WeightsBf16 => Half * ParameterCount;

    /// <summary>Bytes of the weights in fp32.</summary>
    public long WeightsFp32 => Full * ParameterCount;

    /// <summary>Bytes of all weights and their gradients, in fp32.</summary>
    public long TrainingFp32 => 2 * Full * ParameterCount;

    /// <summary>Bytes of all weights, their gradients and AdamW's two moments, in fp32.</summary>
    public long TrainingFp32WithAdamW => 4 * Full * ParameterCount;

    /// <summary>Computes the bytes of the keys and values of positions in all layers, one row, in bf16.</summary>
    public long CacheBf16(long tokens) => Half * CacheValues(tokens);

    /// <summary>Computes the bytes of the keys and values of positions in all layers, one row, in fp32.</summary>
    public long CacheFp32(long tokens) => Full * CacheValues(tokens);

    // Keys and values (2) of every layer, each [kvHeads, tokens, d].
    private long CacheValues(long tokens) => 2L * Config.NumHiddenLayers * Config.NumKeyValueHeads * Config.HeadDim * tokens;
}

namespace FunctionsPipeline.Phi3Vision;

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

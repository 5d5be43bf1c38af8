namespace FunctionsPipeline.Phi3Vision;

/// <summary>Memory that a model takes by its dimensions, in bytes. Activations, which depend on batch and images, come on top.</summary>
/// <param name="Config">The model's configuration.</param>
/// <param name="ParameterCount">Number of values of all its weights.</param>
public sealed record MemoryNeeds(Phi3VisionConfig Config, long ParameterCount)
{
    private const int Half = 2;
    private const int Full = 4;

    /// <summary>The weights in bf16 (or fp16): what generation takes beside the cache.</summary>
    public long WeightsBf16 => Half * ParameterCount;

    /// <summary>The weights in fp32.</summary>
    public long WeightsFp32 => Full * ParameterCount;

    /// <summary>Weights and gradients of all of them, in fp32.</summary>
    public long TrainingFp32 => 2 * Full * ParameterCount;

    /// <summary>The same with AdamW's two moments of every weight.</summary>
    public long TrainingFp32WithAdamW => 4 * Full * ParameterCount;

    /// <summary>Keys and values of positions in all layers, one row, in bf16.</summary>
    public long CacheBf16(long tokens) => Half * CacheValues(tokens);

    /// <summary>Keys and values of positions in all layers, one row, in fp32.</summary>
    public long CacheFp32(long tokens) => Full * CacheValues(tokens);

    private long CacheValues(long tokens) => 2L * Config.NumHiddenLayers * Config.NumKeyValueHeads * Config.HeadDim * tokens;
}

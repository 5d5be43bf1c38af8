using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Draws weights to train from: matrices from a normal distribution of variance 1 / fan-in, embeddings from a narrow one, norms 1, biases 0.
/// </summary>
public static class Initializer
{
    // Of the order of what the patches themselves bring in, so that a patch's place and its content mix from the start.
    private const double PositionDeviation = 0.3;

    /// <summary>Fills every parameter. The same seed gives the same weights on every device and engine.</summary>
    public static void Initialize(Phi3VisionModel model, int seed)
    {
        var random = new Random(seed);
        using var noGradients = torch.no_grad();
        foreach (var (name, parameter) in model.named_parameters().OrderBy(pair => pair.name, StringComparer.Ordinal))
        {
            using var scope = NewDisposeScope();
            if (IsNormWeight(name)) parameter.fill_(1);
            else if (Deviation(name, parameter.shape, model.Config) is var deviation and > 0) parameter.copy_(Normal(random, parameter.shape, deviation));
            else parameter.zero_();
            if (name == "model.embed_tokens.weight") parameter.select(0, model.Config.PadTokenId).zero_();
        }
    }

    private static bool IsNormWeight(string name) => name.EndsWith("norm.weight", StringComparison.Ordinal) || name.Contains("layer_norm") && name.EndsWith(".weight", StringComparison.Ordinal);

    /// <summary>
    /// Standard deviation of a parameter; 0 for one that starts at zero. Matrices keep the variance of what goes through them (1 / fan-in),
    /// which at the published width is the published range of 0.02, and at toy width is what lets the pictures reach the answer at all.
    /// </summary>
    private static double Deviation(string name, long[] shape, Phi3VisionConfig config) => name switch
    {
        _ when name.EndsWith(".bias", StringComparison.Ordinal) || name.EndsWith("class_embedding", StringComparison.Ordinal) => 0,
        _ when name.EndsWith("_GN", StringComparison.Ordinal) || name is "model.embed_tokens.weight" or "lm_head.weight" => config.InitializerRange,
        _ when name.EndsWith("position_embedding.weight", StringComparison.Ordinal) => PositionDeviation,
        _ => Math.Pow(shape.Skip(1).Aggregate(1L, (product, size) => product * size), -0.5),
    };

    private static Tensor Normal(Random random, long[] shape, double deviation)
    {
        var tensor = torch.empty(shape, dtype: ScalarType.Float32);
        var values = MemoryMarshal.Cast<byte, float>(tensor.bytes);
        for (var i = 0; i < values.Length; i++)
        {
            // Box-Muller; 1 - u keeps the logarithm finite.
            var radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        return tensor;
    }
}

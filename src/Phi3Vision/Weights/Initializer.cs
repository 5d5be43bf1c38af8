using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Draws weights to train from: CLIP as the published CLIP code does, the decoder from a normal distribution, norms 1, biases and separators 0.
/// </summary>
public static class Initializer
{
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

    /// <summary>Standard deviation of a parameter; 0 for one that starts at zero.</summary>
    private static double Deviation(string name, long[] shape, Phi3VisionConfig config)
    {
        if (name.EndsWith(".bias", StringComparison.Ordinal) || name.EndsWith("_GN", StringComparison.Ordinal)) return 0;
        var (width, factor) = (config.Clip.HiddenSize, config.Clip.InitializerFactor);
        var throughDepth = Math.Pow(2 * config.Clip.NumHiddenLayers, -0.5);
        return name switch
        {
            _ when name.Contains("img_projection") => Math.Pow(shape[1], -0.5),
            _ when !name.Contains("vision_model") => config.InitializerRange,
            _ when name.EndsWith("class_embedding", StringComparison.Ordinal) => Math.Pow(width, -0.5) * factor,
            _ when name.Contains(".embeddings.") => config.Clip.InitializerRange * factor,
            _ when name.Contains("out_proj") => Math.Pow(width, -0.5) * factor,
            _ when name.Contains("fc1") => Math.Pow(2 * width, -0.5) * factor,
            _ => Math.Pow(width, -0.5) * throughDepth * factor,
        };
    }

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

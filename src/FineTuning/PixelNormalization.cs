using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Between normalised pixel values, (v/255 - mean)/std, and bytes, which take a quarter of the room.</summary>
internal static class PixelNormalization
{
    private const int Channels = 3;

    /// <summary>Normalised values of whole views as bytes.</summary>
    /// <param name="values">[views,3,336,336].</param>
    public static byte[] ToBytes(ReadOnlySpan<float> values)
    {
        const int plane = Phi3VisionConfig.ViewSize * Phi3VisionConfig.ViewSize;
        var bytes = new byte[values.Length];
        for (var start = 0; start < values.Length; start += plane)
        {
            var channel = start / plane % Channels;
            var scale = 255 * ImageProcessor.StandardDeviation[channel];
            var shift = 255 * ImageProcessor.Mean[channel];
            for (var i = start; i < start + plane; i++)
                bytes[i] = (byte)Math.Clamp(MathF.Round(values[i] * scale + shift), 0, 255);
        }
        return bytes;
    }

    /// <summary>The inverse, on the tensor's device.</summary>
    /// <param name="bytes">U8 [..,3,336,336].</param>
    public static Tensor ToValues(Tensor bytes)
    {
        using var scope = NewDisposeScope();
        var scale = tensor(Array.ConvertAll(ImageProcessor.StandardDeviation.ToArray(), s => 1 / (255 * s)), [Channels, 1, 1], device: bytes.device);
        var shift = tensor(ImageProcessor.Mean.ToArray().Zip(ImageProcessor.StandardDeviation.ToArray(), (m, s) => -m / s).ToArray(), [Channels, 1, 1], device: bytes.device);
        return bytes.to(ScalarType.Float32).mul_(scale).add_(shift).MoveToOuterDisposeScope();
    }
}

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>CLIP's normalisation of pixels: (value / 255 - mean) / deviation per channel, in single precision and in this order.</summary>
internal static class PixelNormalizer
{
    private static readonly float[] Mean = [0.48145466f, 0.4578275f, 0.40821073f];
    private static readonly float[] Deviation = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>Splits interleaved pixels into channels and normalises them.</summary>
    /// <param name="rgb">Interleaved RGB, 3 bytes per pixel, a multiple of 16 pixels.</param>
    /// <param name="red">Receives the red channel, one value per pixel; the other channels likewise.</param>
    public static void Normalize(ReadOnlySpan<byte> rgb, Span<float> red, Span<float> green, Span<float> blue)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rgb.Length, red.Length / 16 * 48);
        for (var x = 0; x < red.Length; x += 16)
        {
            // 16 pixels are 48 bytes in three vectors. Each shuffle collects one channel's bytes from one vector, the rest zero; OR joins
            // them.
            var a = Vector128.Create(rgb.Slice(x * 3, 16));
            var b = Vector128.Create(rgb.Slice(x * 3 + 16, 16));
            var c = Vector128.Create(rgb.Slice(x * 3 + 32, 16));
            var reds = Vector128.Shuffle(a, Vector128.Create((byte)0, 3, 6, 9, 12, 15, X, X, X, X, X, X, X, X, X, X))
                | Vector128.Shuffle(b, Vector128.Create(X, X, X, X, X, X, (byte)2, 5, 8, 11, 14, X, X, X, X, X))
                | Vector128.Shuffle(c, Vector128.Create(X, X, X, X, X, X, X, X, X, X, X, (byte)1, 4, 7, 10, 13));
            var greens = Vector128.Shuffle(a, Vector128.Create((byte)1, 4, 7, 10, 13, X, X, X, X, X, X, X, X, X, X, X))
                | Vector128.Shuffle(b, Vector128.Create(X, X, X, X, X, (byte)0, 3, 6, 9, 12, 15, X, X, X, X, X))
                | Vector128.Shuffle(c, Vector128.Create(X, X, X, X, X, X, X, X, X, X, X, (byte)2, 5, 8, 11, 14));
            var blues = Vector128.Shuffle(a, Vector128.Create((byte)2, 5, 8, 11, 14, X, X, X, X, X, X, X, X, X, X, X))
                | Vector128.Shuffle(b, Vector128.Create(X, X, X, X, X, (byte)1, 4, 7, 10, 13, X, X, X, X, X, X))
                | Vector128.Shuffle(c, Vector128.Create(X, X, X, X, X, X, X, X, X, X, (byte)0, 3, 6, 9, 12, 15));
            Normalize(reds, 0, red.Slice(x, 16));
            Normalize(greens, 1, green.Slice(x, 16));
            Normalize(blues, 2, blue.Slice(x, 16));
        }
    }

    /// <summary>Normalises a channel's values in place.</summary>
    /// <param name="values">Values from 0 to 255, or slightly beyond after a bicubic resize; a multiple of 8.</param>
    /// <param name="channel">Channel: 0 red, 1 green, 2 blue.</param>
    public static void Normalize(Span<float> values, int channel)
    {
        foreach (ref var eight in MemoryMarshal.Cast<float, Vector256<float>>(values)) eight = Normalize(eight, channel);
    }

    private static void Normalize(Vector128<byte> bytes, int channel, Span<float> target)
    {
        var (low, high) = Vector128.Widen(bytes);
        Normalize(Vector256.ConvertToSingle(Vector256.WidenLower(low.ToVector256Unsafe()).AsInt32()), channel).CopyTo(target);
        Normalize(Vector256.ConvertToSingle(Vector256.WidenLower(high.ToVector256Unsafe()).AsInt32()), channel).CopyTo(target[8..]);
    }

    private static Vector256<float> Normalize(Vector256<float> values, int channel) =>
        (values / 255f - Vector256.Create(Mean[channel])) / Deviation[channel];

    // A shuffle index beyond the vector's end yields zero.
    private const byte X = 255;
}

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The two passes of Pillow's 8-bit bilinear resize, one row at a time and bit for bit: each sums weight · pixel in 32 bits and rounds to
/// 8. Unsigned lanes suffice: sums are not negative and stay below 2^31, as the weights of a pixel add up to little more than 2^22.
/// </summary>
internal static class BilinearResize
{
    private const uint Half = 1u << (BilinearTaps.Precision - 1);

    /// <summary>Resizes one row to <see cref="BilinearTaps.Count"/> pixels.</summary>
    /// <param name="source">Interleaved RGB, followed by <see cref="RowRing.Slack"/> readable bytes.</param>
    /// <param name="target">Interleaved RGB; the byte after the last pixel is overwritten.</param>
    public static void Horizontal(ReadOnlySpan<byte> source, BilinearTaps taps, Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(target.Length, taps.Count * 3 + 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length - RowRing.Slack, (taps.Starts[^1] + taps.Most) * 3);
        ref var pixels = ref MemoryMarshal.GetReference(source);
        ref var output = ref MemoryMarshal.GetReference(target);
        ref var weights = ref Unsafe.As<int, uint>(ref MemoryMarshal.GetReference(taps.Weights));
        var starts = taps.Starts;
        for (var x = 0; x < starts.Length; x++)
        {
            var sums = Vector128.Create(Half);
            ref var pixel = ref Unsafe.Add(ref pixels, starts[x] * 3);
            for (var i = 0; i < taps.Stride; i += 4)
            {
                // 16 bytes hold 5⅓ pixels. The first four are used, each spread to 32-bit lanes for red, green, blue and zero.
                var four = Vector128.LoadUnsafe(ref pixel, (nuint)(i * 3));
                var first = Vector128.Shuffle(four, Vector128.Create((byte)0, X, X, X, 1, X, X, X, 2, X, X, X, X, X, X, X));
                var second = Vector128.Shuffle(four, Vector128.Create((byte)3, X, X, X, 4, X, X, X, 5, X, X, X, X, X, X, X));
                var third = Vector128.Shuffle(four, Vector128.Create((byte)6, X, X, X, 7, X, X, X, 8, X, X, X, X, X, X, X));
                var fourth = Vector128.Shuffle(four, Vector128.Create((byte)9, X, X, X, 10, X, X, X, 11, X, X, X, X, X, X, X));
                sums += first.AsUInt32() * weights + second.AsUInt32() * Unsafe.Add(ref weights, 1);
                sums += third.AsUInt32() * Unsafe.Add(ref weights, 2) + fourth.AsUInt32() * Unsafe.Add(ref weights, 3);
                weights = ref Unsafe.Add(ref weights, 4);
            }
            var rounded = Vector128.Min(sums >> BilinearTaps.Precision, Vector128.Create(255u));
            var bytes = Vector128.Shuffle(rounded.AsByte(), Vector128.Create((byte)0, 4, 8, X, X, X, X, X, X, X, X, X, X, X, X, X));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref output, x * 3), bytes.AsUInt32().ToScalar());
        }
    }

    /// <summary>Computes row <paramref name="y"/> of the output.</summary>
    /// <param name="rows">Ring that holds the source rows of this output row.</param>
    /// <param name="target">Receives the row, with its slack.</param>
    public static void Vertical(RowRing rows, BilinearTaps taps, int y, Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(target.Length, rows.Stride);
        ref var source = ref MemoryMarshal.GetReference(rows.Bytes);
        ref var output = ref MemoryMarshal.GetReference(target);
        var weights = taps.Weights.Slice(y * taps.Stride, taps.Most);
        var first = rows.Offset(taps.Starts[y]);
        for (var x = 0; x < target.Length; x += Vector<byte>.Count)
        {
            var sums0 = new Vector<uint>(Half);
            var (sums1, sums2, sums3) = (sums0, sums0, sums0);
            var row = first;
            foreach (var weight in weights)
            {
                Vector.Widen(Vector.LoadUnsafe(ref source, (nuint)(row + x)), out var low, out var high);
                Vector.Widen(low, out var pixels0, out var pixels1);
                Vector.Widen(high, out var pixels2, out var pixels3);
                sums0 += pixels0 * (uint)weight;
                sums1 += pixels1 * (uint)weight;
                sums2 += pixels2 * (uint)weight;
                sums3 += pixels3 * (uint)weight;
                row += rows.Stride;
                if (row == rows.Bytes.Length) row = 0;
            }
            Vector.Narrow(Vector.Narrow(Rounded(sums0), Rounded(sums1)), Vector.Narrow(Rounded(sums2), Rounded(sums3)))
                .StoreUnsafe(ref output, (nuint)x);
        }
    }

    // A shuffle index beyond the vector's end yields zero.
    private const byte X = 255;

    private static Vector<uint> Rounded(Vector<uint> sums) => Vector.Min(sums >> BilinearTaps.Precision, new Vector<uint>(255));
}

using System.Globalization;
using System.Numerics;
using SkiaSharp;

namespace FunctionsPipeline.Images;

/// <summary>
/// 64 bits that hardly change when an image is resized or encoded again: which of its lowest frequencies are above their median, as in
/// pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010).
/// </summary>
public readonly record struct PerceptualHash(ulong Bits)
{
    /// <summary>
    /// Largest number of different bits of images that count as alike. With 4 bits, 93 of 100 copies of half the size are found, and of 5.8
    /// million pairs of different photographs 6 count as alike; with 6 bits it is 97 copies, but 39 pairs, and a warning that names wrong
    /// pairs is not read again. <c>tests/Benchmarks/results-datasets.md</c> has all measurements.
    /// </summary>
    public const int LargestDistance = 4;

    // The image is reduced to 32×32 brightnesses, of whose 32×32 frequencies the lowest 8×8 are used.
    private const int Side = 32;
    private const int Frequencies = 8;

    // cos((2x + 1)·u·π / 64): the basis of the cosine transform (DCT-II), by frequency u and position x.
    private static readonly float[] Basis =
    [
        .. from u in Enumerable.Range(0, Frequencies)
           from x in Enumerable.Range(0, Side)
           select (float)Math.Cos(((2 * x) + 1) * u * Math.PI / (2 * Side)),
    ];

    /// <summary>Parses the form of <see cref="ToString"/>.</summary>
    public static PerceptualHash Parse(string text) => new(ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));

    /// <summary>Returns the number of bits in which two hashes differ.</summary>
    public int DistanceTo(PerceptualHash other) => BitOperations.PopCount(Bits ^ other.Bits);

    /// <summary>Formats the hash as 16 lower-case hexadecimal digits.</summary>
    public override string ToString() => Bits.ToString("x16", CultureInfo.InvariantCulture);

    /// <param name="decoded">The decoded image, 8-bit RGBA, not premultiplied; transparent parts count as white.</param>
    /// <param name="origin">The image's orientation; the hash is that of the upright image.</param>
    internal static PerceptualHash Of(SKBitmap decoded, SKEncodedOrigin origin)
    {
        Span<float> stored = stackalloc float[Side * Side];
        Reduce(decoded, stored);
        Span<float> cells = stackalloc float[Side * Side];
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++)
            {
                var (column, row) = Turned(x, y, origin);
                cells[(y * Side) + x] = stored[(row * Side) + column];
            }
        }
        Span<float> rows = stackalloc float[Side * Frequencies];
        for (var y = 0; y < Side; y++)
            for (var u = 0; u < Frequencies; u++) rows[(y * Frequencies) + u] = Sum(cells.Slice(y * Side, Side), u);
        Span<float> frequencies = stackalloc float[Frequencies * Frequencies];
        Span<float> values = stackalloc float[Side];
        for (var u = 0; u < Frequencies; u++)
        {
            for (var y = 0; y < Side; y++) values[y] = rows[(y * Frequencies) + u];
            for (var v = 0; v < Frequencies; v++) frequencies[(v * Frequencies) + u] = Sum(values, v);
        }
        // The first is the mean brightness, which says nothing about the shape.
        Span<float> sorted = stackalloc float[frequencies.Length - 1];
        frequencies[1..].CopyTo(sorted);
        sorted.Sort();
        var median = sorted[sorted.Length / 2];
        ulong bits = 0;
        for (var i = 1; i < frequencies.Length; i++)
            if (frequencies[i] > median) bits |= 1UL << i;
        return new PerceptualHash(bits);
    }

    private static float Sum(ReadOnlySpan<float> values, int frequency)
    {
        var sum = 0f;
        for (var x = 0; x < Side; x++) sum += values[x] * Basis[(frequency * Side) + x];
        return sum;
    }

    // The cell of the stored image that is seen at (x, y) upright.
    private static (int X, int Y) Turned(int x, int y, SKEncodedOrigin origin)
    {
        const int Last = Side - 1;
        return origin switch
        {
            SKEncodedOrigin.TopRight => (Last - x, y),
            SKEncodedOrigin.BottomRight => (Last - x, Last - y),
            SKEncodedOrigin.BottomLeft => (x, Last - y),
            SKEncodedOrigin.LeftTop => (y, x),
            SKEncodedOrigin.RightTop => (y, Last - x),
            SKEncodedOrigin.RightBottom => (Last - y, Last - x),
            SKEncodedOrigin.LeftBottom => (Last - y, x),
            _ => (x, y),
        };
    }

    /// <summary>Computes the mean brightness of each cell of a grid over the image; a pixel across an edge counts in parts.</summary>
    /// <param name="cells">Gets the brightnesses, 0 to 255, row by row.</param>
    private static void Reduce(SKBitmap decoded, Span<float> cells)
    {
        Span<float> row = stackalloc float[Side];
        for (var y = 0; y < decoded.Height; y++)
        {
            row.Clear();
            var pixels = decoded.GetPixelSpan(0, y);
            for (var x = 0; x < decoded.Width; x++) Spread(x, decoded.Width, Brightness(pixels.Slice(x * 4, 4)), row);
            for (var column = 0; column < Side; column++) Spread(y, decoded.Height, row[column], cells[column..], Side);
        }
    }

    /// <summary>Adds a value to the cells that its pixel overlaps, in proportion.</summary>
    private static void Spread(int pixel, int pixels, float value, Span<float> cells, int step = 1)
    {
        var (start, end) = ((float)pixel * Side / pixels, (float)(pixel + 1) * Side / pixels);
        for (var cell = (int)start; cell < Math.Min(end, Side); cell++)
            cells[cell * step] += value * (Math.Min(end, cell + 1) - Math.Max(start, cell));
    }

    private static float Brightness(ReadOnlySpan<byte> rgba)
    {
        // Weights of ITU-R BT.601.
        var brightness = (0.299f * rgba[0]) + (0.587f * rgba[1]) + (0.114f * rgba[2]);
        return 255 - ((255 - brightness) * rgba[3] / 255);
    }
}

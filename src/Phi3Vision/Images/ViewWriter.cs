using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using FunctionsPipeline.Phi3Vision.Config;

namespace FunctionsPipeline.Phi3Vision.Images;

/// <summary>
/// Makes the views of a padded image from its rows: cuts each row into crops, normalises them, and adds the row to the global view.
/// </summary>
internal sealed class ViewWriter : IDisposable
{
    private const int Side = Phi3VisionConfig.ViewSize;
    private const int Plane = Side * Side;

    private readonly int _columns;
    private readonly float[] _pixels;
    // Null for an image of one crop, which is its own global view.
    private readonly GlobalView? _global;
    private int _y;

    /// <param name="width">Width of the padded image in pixels, a multiple of 336.</param>
    /// <param name="height">Height of the padded image in pixels, a multiple of 336.</param>
    public ViewWriter(int width, int height)
    {
        _columns = width / Side;
        var (rows, views) = (height / Side, height / Side * _columns + 1);
        // Uninitialised memory is safe: the rows of the global view and of the crops cover every value.
        _pixels = GC.AllocateUninitializedArray<float>(checked(views * 3 * Plane));
        _global = views == 2 ? null : new GlobalView(width, height, _pixels.AsMemory(0, 3 * Plane));
        Image = new ProcessedImage(_pixels, views, height, width, ProcessedImage.TokensOf(rows, _columns));
    }

    /// <summary>The views, complete once the last row has been added.</summary>
    public ProcessedImage Image { get; }

    /// <summary>Adds the next row, interleaved RGB.</summary>
    public void Add(ReadOnlySpan<byte> row)
    {
        for (var column = 0; column < _columns; column++)
        {
            var crop = 1 + _y / Side * _columns + column;
            var target = _pixels.AsSpan(crop * 3 * Plane + _y % Side * Side);
            var pixels = row.Slice(column * Side * 3, Side * 3);
            PixelNormalizer.Normalize(pixels, target[..Side], target.Slice(Plane, Side), target.Slice(2 * Plane, Side));
        }
        if (_global is not null) _global.Add(row);
        else
        {
            for (var c = 0; c < 3; c++) _pixels.AsSpan((3 + c) * Plane + _y * Side, Side).CopyTo(_pixels.AsSpan(c * Plane + _y * Side));
        }
        _y++;
    }

    public void Dispose() => _global?.Dispose();
}

/// <summary>CLIP's normalisation of pixels: (value / 255 - mean) / deviation per channel, in single precision and in this order.</summary>
internal static class PixelNormalizer
{
    // OPENAI_CLIP_MEAN and OPENAI_CLIP_STD of the transformers library.
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
        // Divisions, as in torchvision's ToTensor and Normalize: factors of 1 / 255 or 1 / deviation would differ in the last bit.
        (values / 255f - Vector256.Create(Mean[channel])) / Deviation[channel];

    // A shuffle index beyond the vector's end yields zero.
    private const byte X = 255;
}

/// <summary>
/// The global view: a bicubic resize (a = -0.75, not antialiased, edges repeated) of the padded image to 336×336, which the published code
/// computes from the normalised image. Both sides are multiples of 336, so that every output pixel has the same phase: the middle pixel for
/// odd factors, the four middle pixels with weights (-3, 19, 19, -3) / 32 for even ones. The integer sums are exact, and as the weights add
/// up to 1 the resize commutes with the normalisation and runs before it.
/// </summary>
internal sealed class GlobalView : IDisposable
{
    private const int Side = Phi3VisionConfig.ViewSize;
    // Keys' cubic convolution at the distances 3/2 and 1/2: a / 8 = -3/32 and (4 - a) / 8 = 19/32.
    private const short Outer = -3;
    private const short Inner = 19;
    private const int Scale = 32;

    private readonly int _height;
    private readonly int _width;
    private readonly Memory<float> _target;
    private readonly RowRing _recent;
    private readonly short[] _sums;
    private int _read;
    private int _made;

    /// <param name="width">Width of the padded image in pixels, a multiple of 336.</param>
    /// <param name="height">Height of the padded image in pixels, a multiple of 336.</param>
    /// <param name="target">Receives the view, [3, 336, 336].</param>
    public GlobalView(int width, int height, Memory<float> target)
    {
        _width = width;
        _height = height;
        _target = target;
        // An even factor combines the rows middle - 2 to middle + 1.
        _recent = new RowRing(4, width * 3);
        // One pixel before the row and one after it, for the repeated edges.
        _sums = ArrayPool<short>.Shared.Rent(_recent.Stride + 3);
    }

    /// <summary>Adds the next row of the padded image, interleaved RGB.</summary>
    public void Add(ReadOnlySpan<byte> row)
    {
        row.CopyTo(_recent[_read]);
        // The last source row of an output row: the middle one for odd factors, the last of the four middle rows for even ones.
        var factor = _height / Side;
        var last = factor % 2 == 1 ? _made * factor + factor / 2 : Math.Min(_made * factor + factor / 2 + 1, _height - 1);
        if (_read++ == last && _made < Side) MakeRow(factor);
    }

    public void Dispose()
    {
        _recent.Dispose();
        ArrayPool<short>.Shared.Return(_sums);
    }

    private void MakeRow(int factor)
    {
        var middle = _made * factor + factor / 2;
        if (factor % 2 == 1) Copy(_recent[middle]);
        else Combine(_recent[Math.Max(middle - 2, 0)], _recent[middle - 1], _recent[middle], _recent[Math.Min(middle + 1, _height - 1)]);
        for (var c = 0; c < 3; c++)
        {
            _sums[c] = _sums[c + 3];
            _sums[(_width + 1) * 3 + c] = _sums[_width * 3 + c];
        }
        var scale = 1f / (factor % 2 == 1 ? 1 : Scale);
        for (var c = 0; c < 3; c++)
        {
            var target = _target.Span.Slice((c * Side + _made) * Side, Side);
            Across(_sums.AsSpan(c), _width / Side, scale, target);
            PixelNormalizer.Normalize(target, c);
        }
        _made++;
    }

    private void Copy(ReadOnlySpan<byte> row)
    {
        var sums = _sums.AsSpan(3);
        for (var x = 0; x < row.Length; x += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(row[x..]), out var low, out var high);
            Vector.AsVectorInt16(low).CopyTo(sums[x..]);
            Vector.AsVectorInt16(high).CopyTo(sums[(x + Vector<short>.Count)..]);
        }
    }

    // 16 bits suffice: |19 · 510| + |3 · 510| < 2^15.
    private void Combine(ReadOnlySpan<byte> above, ReadOnlySpan<byte> upper, ReadOnlySpan<byte> lower, ReadOnlySpan<byte> below)
    {
        var sums = _sums.AsSpan(3);
        for (var x = 0; x < above.Length; x += Vector<byte>.Count)
        {
            var (inner0, inner1) = Sum(upper[x..], lower[x..]);
            var (outer0, outer1) = Sum(above[x..], below[x..]);
            (inner0 * Inner + outer0 * Outer).CopyTo(sums[x..]);
            (inner1 * Inner + outer1 * Outer).CopyTo(sums[(x + Vector<short>.Count)..]);
        }
    }

    private static (Vector<short> Low, Vector<short> High) Sum(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Vector.Widen(new Vector<byte>(a), out var lowA, out var highA);
        Vector.Widen(new Vector<byte>(b), out var lowB, out var highB);
        return (Vector.AsVectorInt16(lowA + lowB), Vector.AsVectorInt16(highA + highB));
    }

    /// <summary>Resizes one channel of a row of vertical sums horizontally.</summary>
    /// <param name="sums">Interleaved sums from this channel on; every third sum is used. The first is the repeated edge.</param>
    private static void Across(ReadOnlySpan<short> sums, int factor, float scale, Span<float> target)
    {
        if (factor % 2 == 1)
        {
            for (var x = 0; x < target.Length; x++) target[x] = sums[(x * factor + factor / 2 + 1) * 3] * scale;
            return;
        }
        for (var x = 0; x < target.Length; x++)
        {
            // Exact in float32: the sums are below 2²⁴, and scale / 32 is 2⁻⁵ or 2⁻¹⁰.
            var four = sums.Slice((x * factor + factor / 2 - 1) * 3, 10);
            target[x] = (Outer * (four[0] + four[9]) + Inner * (four[3] + four[6])) * (scale / Scale);
        }
    }
}

using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using FunctionsPipeline.Phi3Vision.Config;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision.Images;

/// <summary>Sizes of the HD transform, in the landscape orientation that it works in.</summary>
/// <param name="Transposed">
/// True when the image is taller than wide: x and y are swapped for the transform and swapped back at its end.
/// </param>
/// <param name="Width">Width after resizing in pixels, a multiple of 336.</param>
/// <param name="ResizedHeight">Height after resizing in pixels.</param>
/// <param name="PadTop">Number of white rows above.</param>
/// <param name="Height">Height after padding in pixels, a multiple of 336.</param>
internal readonly record struct HdShape(bool Transposed, int Width, int ResizedHeight, int PadTop, int Height)
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Width and height of the padded image, in the orientation of the source.</summary>
    public (int Width, int Height) PaddedSize => Transposed ? (Height, Width) : (Width, Height);

    /// <summary>
    /// Computes the sizes at the largest scale whose crops number at most <paramref name="numCrops"/>. <see cref="ResizedHeight"/> is 0 for
    /// an image too thin to show.
    /// </summary>
    public static HdShape Of(int width, int height, int numCrops)
    {
        var transposed = width < height;
        if (transposed) (width, height) = (height, width);
        var ratio = width / (double)height;
        var scale = 1;
        // A scale of s gives s columns and ⌈s / ratio⌉ rows of crops; the loop ends one past the last that fits.
        while (scale * Math.Ceiling(scale / ratio) <= numCrops) scale++;
        scale--;
        var newWidth = scale * Side;
        // Truncated as in the published code, also where the division falls slightly below an integer.
        var newHeight = (int)(newWidth / ratio);
        var padded = (newHeight + Side - 1) / Side * Side;
        return new HdShape(transposed, newWidth, newHeight, (padded - newHeight) / 2, padded);
    }
}

/// <summary>
/// The published HD transform, streamed: reads an image row by row and emits the rows of the resized and padded image. The published code
/// transposes portraits, resizes horizontally and then vertically, pads above and below, and transposes back. Without the transposes that
/// is a vertical resize, then a horizontal one, and padding at left and right.
/// </summary>
internal static class HdTransform
{
    private const byte White = 255;

    /// <summary>Runs the transform.</summary>
    /// <param name="image">Image to transform.</param>
    /// <param name="shape">Shape of <paramref name="image"/>, with a <c>ResizedHeight</c> above 0.</param>
    /// <param name="take">Receives the rows from the top, interleaved RGB; each row is only valid during the call.</param>
    public static void Run(Image<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take) => image.ProcessPixelRows(rows =>
    {
        if (shape.Transposed) Portrait(rows, shape, take);
        else Landscape(rows, shape, take);
    });

    private static void Landscape(PixelAccessor<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take)
    {
        using var across = new BilinearTaps(image.Width, shape.Width);
        using var down = new BilinearTaps(image.Height, shape.ResizedHeight);
        using var source = new RowRing(1, image.Width * 3);
        using var recent = new RowRing(down.Most, shape.Width * 3);
        using var row = new RowRing(1, shape.Width * 3);
        var output = row[0][..(shape.Width * 3)];
        output.Fill(White);
        for (var y = 0; y < shape.PadTop; y++) take(output);
        var read = 0;
        for (var y = 0; y < shape.ResizedHeight; y++)
        {
            // Starts never decrease: each source row is read once, and the ring holds the window of the output row.
            for (; read < down.Starts[y] + down.Most; read++)
            {
                // Copied for the slack after it, which Horizontal reads.
                Bytes(image, read).CopyTo(source[0]);
                BilinearResize.Horizontal(source[0], across, recent[read]);
            }
            BilinearResize.Vertical(recent, down, y, row[0]);
            take(output);
        }
        output.Fill(White);
        for (var y = shape.PadTop + shape.ResizedHeight; y < shape.Height; y++) take(output);
    }

    private static void Portrait(PixelAccessor<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take)
    {
        using var down = new BilinearTaps(image.Height, shape.Width);
        using var across = new BilinearTaps(image.Width, shape.ResizedHeight);
        using var recent = new RowRing(down.Most, image.Width * 3);
        using var narrow = new RowRing(1, image.Width * 3);
        using var row = new RowRing(1, shape.Height * 3);
        row[0].Fill(White);
        var read = 0;
        for (var y = 0; y < shape.Width; y++)
        {
            for (; read < down.Starts[y] + down.Most; read++) Bytes(image, read).CopyTo(recent[read]);
            BilinearResize.Vertical(recent, down, y, narrow[0]);
            BilinearResize.Horizontal(narrow[0], across, row[0][(shape.PadTop * 3)..]);
            // Horizontal writes four bytes per pixel: the last pixel's fourth fell on the padding, or on the slack.
            row[0][(shape.PadTop + shape.ResizedHeight) * 3] = White;
            take(row[0][..(shape.Height * 3)]);
        }
    }

    private static Span<byte> Bytes(PixelAccessor<Rgb24> image, int y) => MemoryMarshal.AsBytes(image.GetRowSpan(y));
}

/// <summary>
/// Source pixels and weights of each output pixel along one axis: Pillow's triangle filter, whose support widens when shrinking, with
/// fixed-point weights.
/// </summary>
internal sealed class BilinearTaps : IDisposable
{
    /// <summary>Number of fractional bits of a weight.</summary>
    // Pillow's PRECISION_BITS, 32 - 8 - 2: eight bits of a pixel, two of headroom.
    public const int Precision = 22;

    private readonly int[] _starts;
    private readonly int[] _weights;

    /// <param name="size">Number of source pixels.</param>
    /// <param name="newSize">Number of output pixels.</param>
    public BilinearTaps(int size, int newSize)
    {
        // Output pixel i is centred at (i + ½) · step; source pixel j has the weight max(0, 1 - |j + ½ - centre| / support), scaled so
        // that the weights of an output pixel add up to 1.
        var step = size / (double)newSize;
        var support = Math.Max(step, 1.0);
        Count = newSize;
        _starts = ArrayPool<int>.Shared.Rent(newSize);
        for (var i = 0; i < newSize; i++)
        {
            var (start, end) = Window(i);
            _starts[i] = start;
            Most = Math.Max(Most, end - start);
        }
        Stride = (Most + 3) / 4 * 4;
        _weights = ArrayPool<int>.Shared.Rent(checked(newSize * Stride));
        _weights.AsSpan(0, newSize * Stride).Clear();
        var shares = ArrayPool<double>.Shared.Rent(Most);
        for (var i = 0; i < newSize; i++)
        {
            var (start, end) = Window(i);
            var (center, total) = ((i + 0.5) * step, 0.0);
            // In the order of Pillow's precompute_coeffs, 1 / support as a factor: another order differs in the last bit.
            for (var j = start; j < end; j++)
                total += shares[j - start] = Math.Max(0, 1 - Math.Abs((j - center + 0.5) * (1.0 / support)));
            // The window is shorter at the far edge: its start moves back and gets weights of 0, so that no pixel past the edge is read.
            _starts[i] = Math.Min(start, size - Most);
            var weights = _weights.AsSpan(i * Stride + start - _starts[i]);
            for (var j = 0; j < end - start; j++) weights[j] = (int)(0.5 + shares[j] / total * (1 << Precision));
        }
        ArrayPool<double>.Shared.Return(shares);

        (int Start, int End) Window(int i)
        {
            var center = (i + 0.5) * step;
            return (Math.Max((int)(center - support + 0.5), 0), Math.Min((int)(center + support + 0.5), size));
        }
    }

    /// <summary>Number of output pixels.</summary>
    public int Count { get; }

    /// <summary>Maximum number of source pixels of one output pixel; as many pixels exist from every start on.</summary>
    public int Most { get; }

    /// <summary>Number of weights stored for each output pixel, a multiple of 4; those from <see cref="Most"/> on are 0.</summary>
    public int Stride { get; }

    /// <summary>Index of the first source pixel of every output pixel; the indices never decrease.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, Count);

    /// <summary>Weights of every output pixel, <see cref="Stride"/> each, scaled by 2^<see cref="Precision"/>.</summary>
    public ReadOnlySpan<int> Weights => _weights.AsSpan(0, Count * Stride);

    public void Dispose()
    {
        ArrayPool<int>.Shared.Return(_starts);
        ArrayPool<int>.Shared.Return(_weights);
    }
}

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
            // The last load ends (Stride - Most) · 3 + 4 bytes after the window, at most 13, which the slack holds. Weights of 0 and the
            // shuffles leave these bytes out.
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
        // The stride is a multiple of every vector's length, so that no tail is left.
        for (var x = 0; x < target.Length; x += Vector<byte>.Count)
        {
            var sums0 = new Vector<uint>(Half);
            var (sums1, sums2, sums3) = (sums0, sums0, sums0);
            var row = first;
            foreach (var weight in weights)
            {
                // 8 → 16 → 32 bits, lower half before upper; Narrow joins the halves in the same order.
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

/// <summary>Ring buffer of the latest rows of an image, as many as a filter needs, rented from the array pool.</summary>
internal sealed class RowRing : IDisposable
{
    /// <summary>Number of bytes after a row that vector code may read and write: one vector of 512 bits, the widest there is.</summary>
    public const int Slack = 64;

    private readonly byte[] _buffer;
    private readonly int _rows;

    /// <param name="rows">Number of rows in the ring.</param>
    /// <param name="bytes">Number of bytes of a row.</param>
    public RowRing(int rows, int bytes)
    {
        _rows = rows;
        Stride = checked((bytes + Slack - 1) / Slack * Slack + Slack);
        _buffer = ArrayPool<byte>.Shared.Rent(checked(rows * Stride));
    }

    /// <summary>Number of bytes of a row with its slack, a multiple of <see cref="Slack"/>.</summary>
    public int Stride { get; }

    /// <summary>All rows of the ring; row n begins at <see cref="Offset"/>, and the first follows the last.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _rows * Stride);

    /// <summary>Returns a row with its slack. Until overwritten, it holds the row that is one ring length earlier.</summary>
    public Span<byte> this[int row] => _buffer.AsSpan(Offset(row), Stride);

    public int Offset(int row) => row % _rows * Stride;

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}

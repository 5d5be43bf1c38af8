using System.Buffers;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Pillow's 8-bit bilinear resize, bit for bit: a triangle filter that widens when shrinking, fixed-point weights of 22 bits, the horizontal
/// pass rounded to 8 bits before the vertical one.
/// </summary>
internal static class BilinearResize
{
    private const int Precision = 22;
    private const int Half = 1 << (Precision - 1);

    /// <summary>Resizes an RGB picture.</summary>
    /// <param name="source">Interleaved bytes, row by row.</param>
    /// <returns>Interleaved bytes of the resized picture.</returns>
    public static byte[] Resize(byte[] source, int width, int height, int newWidth, int newHeight)
    {
        if (newWidth != width) source = Horizontal(source, width, height, newWidth);
        return newHeight == height ? source : Vertical(source, newWidth, height, newHeight);
    }

    private static byte[] Horizontal(byte[] source, int width, int height, int newWidth)
    {
        var taps = Taps.Of(width, newWidth);
        var target = new byte[newWidth * height * 3];
        for (var y = 0; y < height; y++)
        {
            var row = source.AsSpan(y * width * 3, width * 3);
            var output = target.AsSpan(y * newWidth * 3, newWidth * 3);
            for (var x = 0; x < newWidth; x++)
            {
                var (start, weights) = taps[x];
                var pixels = row.Slice(start * 3, weights.Length * 3);
                int r = Half, g = Half, b = Half;
                for (int i = 0, p = 0; i < weights.Length; i++, p += 3)
                {
                    r += weights[i] * pixels[p];
                    g += weights[i] * pixels[p + 1];
                    b += weights[i] * pixels[p + 2];
                }
                output[x * 3] = Round(r);
                output[x * 3 + 1] = Round(g);
                output[x * 3 + 2] = Round(b);
            }
        }
        return target;
    }

    private static byte[] Vertical(byte[] source, int width, int height, int newHeight)
    {
        var taps = Taps.Of(height, newHeight);
        var stride = width * 3;
        var target = new byte[stride * newHeight];
        var sums = ArrayPool<int>.Shared.Rent(stride);
        try
        {
            for (var y = 0; y < newHeight; y++)
            {
                var (start, weights) = taps[y];
                var sum = sums.AsSpan(0, stride);
                sum.Fill(Half);
                for (var i = 0; i < weights.Length; i++)
                {
                    var row = source.AsSpan((start + i) * stride, stride);
                    for (var x = 0; x < row.Length; x++) sum[x] += weights[i] * row[x];
                }
                var output = target.AsSpan(y * stride, stride);
                for (var x = 0; x < output.Length; x++) output[x] = Round(sum[x]);
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(sums);
        }
        return target;
    }

    private static byte Round(int sum) => (byte)Math.Clamp(sum >> Precision, 0, 255);

    /// <summary>For every output pixel the first source pixel and the weights from there on.</summary>
    private readonly struct Taps
    {
        private readonly int[] _starts;
        private readonly int[][] _weights;

        private Taps(int size)
        {
            _starts = new int[size];
            _weights = new int[size][];
        }

        public (int Start, int[] Weights) this[int index] => (_starts[index], _weights[index]);

        public static Taps Of(int size, int newSize)
        {
            var taps = new Taps(newSize);
            var step = size / (double)newSize;
            var support = Math.Max(step, 1.0);
            for (var i = 0; i < newSize; i++)
            {
                var center = (i + 0.5) * step;
                var start = Math.Max((int)(center - support + 0.5), 0);
                var end = Math.Min((int)(center + support + 0.5), size);
                var weights = new double[end - start];
                var total = 0.0;
                for (var j = 0; j < weights.Length; j++) total += weights[j] = Math.Max(0, 1 - Math.Abs((start + j - center + 0.5) * (1.0 / support)));
                taps._starts[i] = start;
                taps._weights[i] = [.. weights.Select(weight => (int)(0.5 + (total == 0 ? weight : weight / total) * (1 << Precision)))];
            }
            return taps;
        }
    }
}

using System.Buffers;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Source pixels and weights of each output pixel along one axis: Pillow's triangle filter, whose support widens when shrinking, with
/// fixed-point weights.
/// </summary>
internal sealed class BilinearTaps : IDisposable
{
    /// <summary>Number of fractional bits of a weight.</summary>
    public const int Precision = 22;

    private readonly int[] _starts;
    private readonly int[] _weights;

    /// <param name="size">Number of source pixels.</param>
    /// <param name="newSize">Number of output pixels.</param>
    public BilinearTaps(int size, int newSize)
    {
        // Output pixel i is centred at (i + ½) · step; source pixel j has the weight max(0, 1 - |j + ½ - centre| / support), scaled to sum
        // 1.
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

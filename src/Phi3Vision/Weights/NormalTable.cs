namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Draws normally distributed bf16 values by table lookup: 65,536 equally likely quantiles of the distribution, each selected by 16 random
/// bits; bf16 itself has 128 values between a number and its double. The random bits are SplitMix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014) as a function of key and position, so that any range of a sequence can be drawn
/// independently, on any thread, with equal results.
/// </summary>
internal sealed class NormalTable
{
    /// <summary>Number of values from one draw of 64 random bits; ranges begin at multiples of it.</summary>
    public const int PerDraw = 4;

    private const int Quantiles = 1 << 16;
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private static readonly Lazy<double[]> Standard = new(() =>
        [.. Enumerable.Range(0, Quantiles).Select(i => NormalDistribution.Quantile((i + 0.5) / Quantiles))]);

    private readonly ushort[] _values;

    /// <param name="deviation">Standard deviation; the mean is 0.</param>
    public NormalTable(double deviation) => _values = [.. Standard.Value.Select(z => Bits((float)(z * deviation)))];

    /// <summary>Computes the key of a tensor's sequence from the seed and the tensor's name, so that sequences differ.</summary>
    public static ulong Key(int seed, string name)
    {
        // FNV-1a over the name, then mixed, so that names that differ in one digit do not give neighbouring sequences.
        var hash = 0xCBF29CE484222325;
        foreach (var c in name) hash = (hash ^ c) * 0x100000001B3;
        return Mix(Mix(hash) + (uint)seed * Golden);
    }

    /// <summary>Fills a span with a range of a sequence, as bf16 values.</summary>
    /// <param name="key">Key of the sequence.</param>
    /// <param name="first">Position of the first value, a multiple of <see cref="PerDraw"/>.</param>
    /// <param name="values">Receives the values.</param>
    public void Fill(ulong key, long first, Span<ushort> values)
    {
        var table = _values;
        var state = key + (ulong)(first / PerDraw) * Golden;
        var i = 0;
        for (; i + PerDraw <= values.Length; i += PerDraw)
        {
            var bits = Mix(state += Golden);
            values[i] = table[(ushort)bits];
            values[i + 1] = table[(ushort)(bits >> 16)];
            values[i + 2] = table[(ushort)(bits >> 32)];
            values[i + 3] = table[bits >> 48];
        }
        for (var rest = Mix(state + Golden); i < values.Length; i++, rest >>= 16) values[i] = table[(ushort)rest];
    }

    /// <summary>Converts a number to bf16, rounded to nearest, ties to even.</summary>
    public static ushort Bits(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

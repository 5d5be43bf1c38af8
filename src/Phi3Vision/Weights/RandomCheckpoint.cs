using System.Runtime.InteropServices;
using FunctionsPipeline.Phi3Vision.Config;

namespace FunctionsPipeline.Phi3Vision.Weights;

/// <summary>
/// Writes a checkpoint of random bf16 weights of any size, with a few megabytes in memory at a time, sharded like the published one.
/// Intended for measurements at scale: matrices preserve the variance of activations, so that these stay in range, but nothing is tuned for
/// training (<see cref="Initializer"/> is). Equal seeds give equal weights, whatever the shards and the number of cores.
/// </summary>
public sealed class RandomCheckpoint
{
    /// <summary>Maximum bytes of tensors in a file, as in the published checkpoint.</summary>
    // "5GB" of save_pretrained in the transformers library, in powers of ten.
    public const long MaxShardBytes = 5_000_000_000;

    private const string Dtype = "BF16";
    private const int ValueBytes = 2;

    // Number of values drawn before they are written, and number of values that one thread draws at a time.
    private const int BlockValues = 4 << 20;
    private const int SliceValues = 64 << 10;

    private readonly Phi3VisionConfig _config;
    private readonly int _seed;
    private readonly IReadOnlyList<WeightSpec> _weights;
    private readonly IReadOnlyList<WeightSpec[]> _shards;
    private readonly Dictionary<double, NormalTable> _tables = [];
    private readonly ushort[] _block = new ushort[BlockValues];

    /// <param name="config">A valid configuration.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="maxShardBytes">Maximum bytes of tensors in a file; a larger tensor has a file of its own.</param>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public RandomCheckpoint(Phi3VisionConfig config, int seed, long maxShardBytes = MaxShardBytes)
    {
        config.Validate(Phi3VisionConfig.FileName);
        (_config, _seed) = (config, seed);
        _weights = WeightLayout.Of(config);
        _shards = Shard(_weights, maxShardBytes);
    }

    /// <summary>Number of values of all weights.</summary>
    public long ParameterCount => _weights.Sum(weight => weight.Count);

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => ValueBytes * ParameterCount;

    /// <summary>Number of files.</summary>
    public int Files => _shards.Count;

    /// <summary>
    /// Writes the weights, and an index where there are several files. The folder becomes loadable with the last file, so that the remains
    /// of a cancelled call are not mistaken for a checkpoint.
    /// </summary>
    /// <param name="folder">An existing folder; weights in it are replaced.</param>
    /// <param name="progress">Receives the bytes written so far.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled.</exception>
    public void Write(string folder, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        // A reader would take either file for a complete checkpoint while the new one is written.
        File.Delete(Path.Combine(folder, Checkpoint.FileName));
        File.Delete(Path.Combine(folder, CheckpointIndex.FileName));
        var written = 0L;
        var fileOf = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < _shards.Count; i++)
        {
            var file = _shards.Count == 1 ? Checkpoint.FileName : $"model-{i + 1:00000}-of-{_shards.Count:00000}.safetensors";
            var shard = _shards[i];
            var tensors = shard.Select(weight => (weight.Name, Dtype, weight.Shape)).ToList();
            SafetensorsWriter.Write(Path.Combine(folder, file), tensors, null, (stream, index) =>
                WriteWeight(stream, shard[index], bytes => progress?.Report(written += bytes), cancellationToken));
            foreach (var weight in shard) fileOf[weight.Name] = file;
        }
        if (_shards.Count > 1) CheckpointIndex.Write(folder, fileOf, Bytes);
    }

    private static List<WeightSpec[]> Shard(IReadOnlyList<WeightSpec> weights, long maxBytes)
    {
        var shards = new List<WeightSpec[]>();
        var (shard, bytes) = (new List<WeightSpec>(), 0L);
        foreach (var weight in weights)
        {
            if (shard.Count > 0 && bytes + ValueBytes * weight.Count > maxBytes)
            {
                shards.Add([.. shard]);
                (shard, bytes) = ([], 0);
            }
            shard.Add(weight);
            bytes += ValueBytes * weight.Count;
        }
        shards.Add([.. shard]);
        return shards;
    }

    private void WriteWeight(Stream stream, WeightSpec weight, Action<int> wrote, CancellationToken cancellationToken)
    {
        var table = Table(weight);
        var key = NormalTable.Key(_seed, weight.Name);
        for (var start = 0L; start < weight.Count; start += BlockValues)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var length = (int)Math.Min(BlockValues, weight.Count - start);
            if (table is null) _block.AsSpan(0, length).Fill(NormalTable.Bits(weight.Role == WeightRole.Gain ? 1 : 0));
            else Draw(table, key, start, length);
            stream.Write(MemoryMarshal.AsBytes(_block.AsSpan(0, length)));
            wrote(length * ValueBytes);
        }
    }

    // Slices begin at multiples of NormalTable.PerDraw and fill disjoint ranges: their order does not matter.
    private void Draw(NormalTable table, ulong key, long start, int length) =>
        Parallel.For(0, (length + SliceValues - 1) / SliceValues, slice =>
        {
            var first = slice * SliceValues;
            table.Fill(key, start + first, _block.AsSpan(first, Math.Min(SliceValues, length - first)));
        });

    /// <summary>
    /// Returns the table of a weight: variance 1 / inputs for matrices, the configuration's range for embeddings and the head; null for
    /// gains (all 1) and biases (all 0).
    /// </summary>
    private NormalTable? Table(WeightSpec weight)
    {
        if (weight.Role is WeightRole.Gain or WeightRole.Bias) return null;
        // √(outputs / values) = 1 / √inputs, where the inputs of a convolution are all values of a kernel.
        var deviation = weight.Role == WeightRole.Matrix ? Math.Sqrt(weight.Shape[0] / (double)weight.Count) : _config.InitializerRange;
        if (!_tables.TryGetValue(deviation, out var table)) _tables.Add(deviation, table = new NormalTable(deviation));
        return table;
    }
}

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

    // SplitMix64's increment: 2⁶⁴ divided by the golden ratio, made odd.
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private static readonly Lazy<double[]> Standard = new(() =>
        // The midpoints of intervals of equal probability: finite at both ends, ±4.32 standard deviations.
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
        // 0x7FFF is half of the last kept bit's value, less one. An odd last bit adds that one: ties round to even. Not for NaN.
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    // The finalizer of SplitMix64.
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

/// <summary>Quantiles of the standard normal distribution.</summary>
internal static class NormalDistribution
{
    private const double Tail = 0.02425;

    // Coefficients of the numerators (above) and denominators (below), by descending powers.
    private static readonly double[] MiddleAbove =
    [
        -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
    ];

    private static readonly double[] MiddleBelow =
    [
        -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1,
    ];

    private static readonly double[] TailAbove =
    [
        -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783,
    ];

    private static readonly double[] TailBelow = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];

    /// <summary>
    /// Computes the value below which a share of the distribution lies, by Acklam's rational approximation ("An algorithm for computing the
    /// inverse normal cumulative distribution function", 2003), relative error below 1.2e-9.
    /// </summary>
    /// <param name="share">Above 0 and below 1.</param>
    public static double Quantile(double share)
    {
        if (share < Tail) return InTail(share);
        if (share > 1 - Tail) return -InTail(1 - share);
        var q = share - 0.5;
        return q * Polynomial(MiddleAbove, q * q) / Polynomial(MiddleBelow, q * q);
    }

    private static double InTail(double share)
    {
        var q = Math.Sqrt(-2 * Math.Log(share));
        return Polynomial(TailAbove, q) / Polynomial(TailBelow, q);
    }

    /// <summary>Evaluates a polynomial by Horner's rule; the coefficient of the highest power comes first.</summary>
    private static double Polynomial(double[] coefficients, double x) =>
        coefficients.Aggregate((sum, coefficient) => sum * x + coefficient);
}

using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Rotary position embedding (https://arxiv.org/abs/2104.09864) with <c>su</c> scaling: the angle of pair i at position p is
/// p / (factorᵢ · θ^(2i/d)). The short factors apply while all positions of a call (of a sample in a pack) are within the original range,
/// the long factors otherwise; cosines and sines are scaled by √(1 + ln(max/original) / ln(original)).
/// </summary>
internal sealed class RotaryEmbedding
{
    private readonly float[] _short;
    private readonly float[] _long;
    private readonly long _originalPositions;
    private readonly double _scale;

    public RotaryEmbedding(Phi3VisionConfig config)
    {
        _short = InverseFrequencies(config, config.RopeScaling?.ShortFactor);
        _long = InverseFrequencies(config, config.RopeScaling?.LongFactor);
        _originalPositions = config.OriginalMaxPositionEmbeddings;
        var extension = config.MaxPositionEmbeddings / (double)config.OriginalMaxPositionEmbeddings;
        _scale = config.RopeScaling is null || extension <= 1 ? 1 : Math.Sqrt(1 + Math.Log(extension) / Math.Log(config.OriginalMaxPositionEmbeddings));
    }

    /// <param name="positions">Positions, I64 [1 or B, L].</param>
    /// <param name="end">Largest position plus one, which selects the short or the long factors for the complete call.</param>
    public RotaryTables Tables(Tensor positions, long end, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var frequencies = torch.tensor(end > _originalPositions ? _long : _short, device: device);
        // [1 or B, 1, L, d/2]. Position · frequency is rounded to float32 before the cosine, as in the published code; from about position
        // 4000 the rounding is visible in the result.
        var angles = positions.to(device).to(ScalarType.Float32).unsqueeze(1).unsqueeze(-1) * frequencies;
        Tensor Scaled(Tensor table) => table.Times(_scale).to(dtype).MoveToOuterDisposeScope();
        return new RotaryTables(Scaled(angles.cos()), Scaled(angles.sin()));
    }

    /// <summary>Makes the tables of consecutive positions from start to end (exclusive), the same in every row.</summary>
    public RotaryTables Tables(long start, long end, Device device, ScalarType dtype)
    {
        using var positions = torch.tensor(Enumerable.Range((int)start, (int)(end - start)).Select(i => (long)i).ToArray(), device: device);
        using var row = positions.unsqueeze(0);
        return Tables(row, end, device, dtype);
    }

    /// <summary>
    /// Makes the tables of a pack, samples of these lengths end to end in one row: each sample counts from 0 and selects its factors by its
    /// own length.
    /// </summary>
    public RotaryTables TablesOfPack(IReadOnlyList<long> segments, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var tables = segments.Distinct().ToDictionary(length => length, length => Tables(0, length, device, dtype));
        Tensor Packed(Func<RotaryTables, Tensor> part) => torch.cat([.. segments.Select(length => part(tables[length]))], dim: -2).MoveToOuterDisposeScope();
        return new RotaryTables(Packed(table => table.Cos), Packed(table => table.Sin));
    }

    // 1 / (factorᵢ · θ^(2i/d)) for i = 0 … d/2 - 1; every factor is 1 without scaling.
    private static float[] InverseFrequencies(Phi3VisionConfig config, IReadOnlyList<double>? factors)
    {
        using var scope = NewDisposeScope();
        var pairs = config.HeadDim / 2;
        // Float32 and the engine's own power function, as in the published code: a difference in a frequency's last bit grows to 1e-5 at
        // position 300.
        var exponents = torch.tensor(Enumerable.Range(0, pairs).Select(i => 2f * i).ToArray()).Over(config.HeadDim);
        var factor = torch.tensor((factors?.Select(f => (float)f) ?? Enumerable.Repeat(1f, pairs)).ToArray());
        var theta = torch.tensor(Enumerable.Repeat((float)config.RopeTheta, pairs).ToArray());
        return (factor * theta.pow(exponents)).reciprocal().data<float>().ToArray();
    }
}

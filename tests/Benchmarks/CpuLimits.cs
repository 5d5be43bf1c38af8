using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Peak rates of the processor with torch's threads, measured in this run.</summary>
internal static class CpuLimits
{
    private const long Side = 2048;
    // 1.07 GB of float32: more than any cache holds.
    private const long ReadSide = 1 << 14;

    /// <summary>Operations per millisecond of a product of two large matrices.</summary>
    public static double Operations(Meter meter, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (left, right) = (randn(Side, Side).to(type), randn(Side, Side).to(type));
        var product = meter.Measure(
            $"a large matrix product, {type}, {Cell.Threads(get_num_threads())}", () => left.matmul(right).Dispose());
        return 2.0 * Side * Side * Side / product.Median;
    }

    /// <summary>Bytes per millisecond that a product of a large matrix and a vector reads: decoding a token is made of these.</summary>
    public static double Bytes(Meter meter)
    {
        using var scope = NewDisposeScope();
        var (matrix, vector) = (ones(ReadSide, ReadSide), ones(ReadSide));
        var product = meter.Measure(
            $"a large matrix times a vector, {Cell.Threads(get_num_threads())}", () => matrix.mv(vector).Dispose());
        return (double)sizeof(float) * ReadSide * ReadSide / product.Median;
    }
}

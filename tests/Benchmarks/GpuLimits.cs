using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>What a GPU does at best, measured in this run.</summary>
/// <param name="BytesPerMillisecond">Read and written by a large copy on the device.</param>
/// <param name="OperationsPerMillisecond">Of a large bf16 matrix product.</param>
internal sealed record GpuLimits(double BytesPerMillisecond, double OperationsPerMillisecond)
{
    private const long CopiedValues = 1L << 30;
    private const int Bf16 = 2;
    private const long Side = 8192;

    /// <summary>Measures them.</summary>
    public static GpuLimits Measure(Meter meter)
    {
        using var scope = NewDisposeScope();
        var source = zeros(CopiedValues, dtype: ScalarType.BFloat16, device: CUDA);
        var target = zeros(CopiedValues, dtype: ScalarType.BFloat16, device: CUDA);
        var copy = meter.Measure("a large copy on the GPU", () =>
        {
            target.copy_(source);
            cuda.synchronize();
        });
        var left = randn(Side, Side, dtype: ScalarType.BFloat16, device: CUDA);
        var right = randn(Side, Side, dtype: ScalarType.BFloat16, device: CUDA);
        var product = meter.Measure("a large matrix product on the GPU", () =>
        {
            left.matmul(right).Dispose();
            cuda.synchronize();
        });
        return new GpuLimits(2.0 * Bf16 * CopiedValues / copy.Median, 2.0 * Side * Side * Side / product.Median);
    }
}

using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Compares tensors on any device.</summary>
internal static class TensorDifference
{
    /// <summary>Compares by the largest absolute difference.</summary>
    /// <param name="mask">I64 [B, L]: positions of padding (0) have no meaning and are not compared; null compares all positions.</param>
    public static Comparison Absolute(string output, Tensor expected, Tensor actual, double tolerance, Tensor? mask = null)
    {
        if (Shape(output, expected, actual) is { } wrong) return wrong;
        using var scope = NewDisposeScope();
        var difference = (expected.cpu().to(ScalarType.Float64) - actual.detach().cpu().to(ScalarType.Float64)).abs();
        if (mask is not null) difference = difference.Masked(mask.cpu().Is(0).unsqueeze(-1), 0);
        return new Comparison(output, Largest(difference), tolerance);
    }

    /// <summary>Compares by the largest difference, relative to the largest entry of the recorded tensor.</summary>
    /// <param name="smallest">Lower bound of the divisor.</param>
    public static Comparison Relative(string output, Tensor expected, Tensor actual, double tolerance, double smallest)
    {
        var comparison = Absolute(output, expected, actual, tolerance);
        using var scope = NewDisposeScope();
        var largest = Largest(expected.cpu().to(ScalarType.Float64).abs());
        return comparison with { Difference = comparison.Difference / Math.Max(largest, smallest) };
    }

    /// <summary>Counts the entries that are not equal.</summary>
    public static Comparison Exact(string output, Tensor expected, Tensor actual)
    {
        if (Shape(output, expected, actual) is { } wrong) return wrong;
        using var scope = NewDisposeScope();
        return Comparison.Exact(output, Integers(expected), Integers(actual));
    }

    /// <summary>Copies the values of an integer tensor.</summary>
    public static long[] Integers(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.cpu().to(ScalarType.Int64).contiguous().data<long>().ToArray();
    }

    private static Comparison? Shape(string output, Tensor expected, Tensor actual) =>
        expected.shape.SequenceEqual(actual.shape)
            ? null
            : new Comparison(
                output, double.PositiveInfinity, 0,
                $"is [{string.Join(", ", actual.shape)}], but [{string.Join(", ", expected.shape)}] is recorded");

    private static double Largest(Tensor difference) => difference.NumberOfElements == 0 ? 0 : difference.max().item<double>();
}

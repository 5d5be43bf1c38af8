using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Result of comparing a recorded output with the computed one.</summary>
/// <param name="Output">Name of the output in the recording.</param>
/// <param name="Difference">Largest difference; for outputs that must be equal, the number of entries that differ.</param>
/// <param name="Tolerance">Largest allowed difference.</param>
/// <param name="Detail">Description of the first difference, for messages.</param>
public sealed record Comparison(string Output, double Difference, double Tolerance, string? Detail = null)
{
    /// <summary>True when the difference is within the tolerance; false for NaN.</summary>
    public bool Fits => Difference <= Tolerance;

    /// <summary>Compares entries that must be equal; the detail describes the first difference.</summary>
    public static Comparison Exact<T>(string output, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var (left, right) = (expected.ToList(), actual.ToList());
        if (left.Count != right.Count)
            return new Comparison(output, double.PositiveInfinity, 0, $"{right.Count} entries, but {left.Count} are recorded");
        var differing = Enumerable.Range(0, left.Count).Where(i => !EqualityComparer<T>.Default.Equals(left[i], right[i])).ToList();
        return new Comparison(output, differing.Count, 0,
            differing.Count == 0 ? null : $"entry {differing[0]} is {right[differing[0]]}, but {left[differing[0]]} is recorded");
    }

    /// <summary>Compares by the largest of some differences; NaN when one of them is.</summary>
    public static Comparison Largest(string output, IEnumerable<double> differences, double tolerance) =>
        // Math.Max keeps NaN, which Enumerable.Max passes over.
        new(output, differences.Aggregate(0.0, Math.Max), tolerance);
}

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

    // torch's max returns NaN when an element is NaN, so that Fits fails. It refuses an empty tensor.
    private static double Largest(Tensor difference) => difference.NumberOfElements == 0 ? 0 : difference.max().item<double>();
}

/// <summary>
/// Largest allowed differences between a float32 engine and a recording: several times the difference observed between float32 and float64,
/// and less than the effect of known mistakes, such as an epsilon of 1e-6 instead of 1e-5.
/// </summary>
internal static class Tolerances
{
    /// <summary>Tolerance of the losses of AdamW's steps.</summary>
    public const double StepLosses = 1e-4;

    /// <summary>Tolerance of weights after AdamW's steps.</summary>
    public const double StepWeights = 1e-5;

    /// <summary>Tolerance of the adapter matrices A and B after AdamW's steps.</summary>
    public const double Adapters = 5e-5;

    /// <summary>Tolerance of merged weights after AdamW's steps on adapters.</summary>
    public const double MergedWeights = 2e-5;

    /// <summary>Tolerance of logits after AdamW's steps on adapters.</summary>
    public const double AdaptedLogits = 2e-4;

    /// <summary>Tolerance of gradients, relative to their largest entry.</summary>
    public const double Gradients = 5e-5;

    /// <summary>
    /// Lower bound of a gradient's largest entry: smaller gradients are rounding noise, such as those of key biases, which are 0 in exact
    /// arithmetic and reach norms of 1e-7, more or less by the processor.
    /// </summary>
    public const double SmallestGradient = 1e-2;

    /// <summary>Tolerance of pixels after the image processor; cropping itself is exact.</summary>
    public const double Pixels = 2e-6;

    /// <summary>Returns the tolerance of a model output by its name; null for an unknown name.</summary>
    public static double? Of(string output) => output switch
    {
        "rope_cos" or "rope_sin" => 2e-6,
        "clip_features" or "image_embeds" or "hidden_after_embed" => 2e-5,
        "final_hidden" => 3e-5,
        "logits" or "greedy_logits" or "cross.logits_cache" or "cross.logits_nocache" => 1e-4,
        "loss" => 1e-5,
        "greedy_tokens" or "greedy_tokens_nocache" or "cross.greedy_tokens_cache" or "cross.greedy_tokens_nocache" => 0,
        _ when output.StartsWith("hidden_layer_", StringComparison.Ordinal) => 3e-5,
        _ => null,
    };
}

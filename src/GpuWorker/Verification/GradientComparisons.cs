using System.Text.Json;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Compares a case's loss, its gradients, their norms, and the parameters without a gradient.</summary>
internal static class GradientComparisons
{
    /// <summary>Name prefix of a recorded gradient, followed by the parameter's name.</summary>
    public const string Prefix = "grad.";

    /// <summary>Key in <c>case.json</c>: names of the parameters that no gradient reaches.</summary>
    public const string WithoutGradient = "no_grad_params";

    /// <summary>Key in <c>case.json</c>: L2 norm of every parameter's gradient, null for parameters without one.</summary>
    public const string Norms = "grad_norms";

    /// <summary>Compares the loss and gradients that are recorded.</summary>
    public static IEnumerable<Comparison> Compare(ModelCase recorded, Phi3VisionModel model, ModelCaseInputs inputs)
    {
        var gradients = recorded.Outputs.Where(output => output.StartsWith(Prefix, StringComparison.Ordinal)).ToList();
        var reached = recorded.Description.TryGetProperty(WithoutGradient, out var without);
        var measured = recorded.Description.TryGetProperty(Norms, out var norms);
        var backward = gradients.Count > 0 || reached || measured;
        var tensor = recorded.Outputs.Contains("loss");
        var described = recorded.Description.TryGetProperty("loss", out var number) && number.ValueKind == JsonValueKind.Number;
        if (!backward && !tensor && !described) yield break;

        using var computed = LossAndGradients.Compute(model, inputs, backward);
        if (tensor) yield return TensorDifference.Absolute("loss", recorded.Read("loss"), computed.Loss, Tolerances.Of("loss")!.Value);
        if (described)
            yield return new Comparison(
                "case.json loss", Math.Abs(number.GetSingle() - computed.Loss.item<float>()), Tolerances.Of("loss")!.Value);
        foreach (var name in gradients)
        {
            using var scope = NewDisposeScope();
            yield return computed.Gradient(name[Prefix.Length..]) is { } gradient
                ? TensorDifference.Relative(name, recorded.Read(name), gradient, Tolerances.Gradients, Tolerances.SmallestGradient)
                : new Comparison(name, double.PositiveInfinity, Tolerances.Gradients, "the parameter has no gradient");
        }
        if (reached)
            yield return Comparison.Exact(
                WithoutGradient,
                without.EnumerateArray().Select(name => name.GetString()).Order(StringComparer.Ordinal),
                computed.WithoutGradient().Order(StringComparer.Ordinal));
        if (measured) yield return CompareNorms(norms, computed.Norms());
    }

    private static Comparison CompareNorms(JsonElement recorded, IReadOnlyDictionary<string, double?> computed)
    {
        var (worst, where) = (0.0, "");
        foreach (var entry in recorded.EnumerateObject())
        {
            var expected = entry.Value.ValueKind == JsonValueKind.Null ? (double?)null : entry.Value.GetDouble();
            var difference = computed.TryGetValue(entry.Name, out var actual) && expected.HasValue == actual.HasValue
                ? Math.Abs((expected ?? 0) - (actual ?? 0)) / Math.Max(expected ?? 0, Tolerances.SmallestGradient)
                : double.PositiveInfinity;
            if (!(difference <= worst)) (worst, where) = (difference, entry.Name);
        }
        return new Comparison(Norms, worst, Tolerances.Gradients, worst <= Tolerances.Gradients ? null : where);
    }
}

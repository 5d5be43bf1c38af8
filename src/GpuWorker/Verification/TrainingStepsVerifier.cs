using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Repeats a recorded full fine-tuning by <see cref="TrainingSteps"/> and compares losses and weights.</summary>
internal static class TrainingStepsVerifier
{
    private const string FinalPrefix = "final.";

    /// <param name="model">Model with the initial weights; it is modified.</param>
    public static CaseReport Verify(ModelCase recorded, Phi3VisionModel model, string name)
    {
        if (TrainingSteps.Unsupported(recorded) is { } reason) return new CaseReport(name, [], [$"everything: {reason}"]);
        var parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter, StringComparer.Ordinal);
        var before = Unchanged(recorded).Select(parameter => (Name: parameter, Value: parameters[parameter].detach().clone())).ToList();
        var comparisons = new List<Comparison>(TrainingSteps.Take(recorded, model, [.. parameters.Values]));
        var final = recorded.Outputs.Where(output => output.StartsWith(FinalPrefix, StringComparison.Ordinal)).ToList();
        comparisons.AddRange(final.Select(output =>
            TensorDifference.Absolute(output, recorded.Read(output), parameters[output[FinalPrefix.Length..]], Tolerances.StepWeights)));
        if (before.Count > 0)
            comparisons.Add(Comparison.Exact(
                "unchanged parameters",
                before.Select(parameter => (parameter.Name, Unchanged: true)),
                before.Select(parameter => (parameter.Name, parameter.Value.Equals(parameters[parameter.Name])))));
        return new CaseReport(name, comparisons,
        [
            .. recorded.Outputs.Except(final).Where(output => output != "losses").Select(output => $"{output}: unknown"),
            .. recorded.Description.TryGetProperty("final_stats", out _)
                ? ["final_stats: of some parameters the gradient is rounding noise, which AdamW turns into whole steps"]
                : Array.Empty<string>(),
        ]);
    }

    private static IEnumerable<string> Unchanged(ModelCase recorded) =>
        recorded.Description.TryGetProperty("unchanged_params_no_gradient", out var names)
            ? names.EnumerateArray().Select(name => name.GetString()!)
            : [];
}

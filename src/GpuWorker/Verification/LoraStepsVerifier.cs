using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Repeats a recorded fine-tuning of adapters: from <c>adapter_init</c> by <see cref="TrainingSteps"/> to <c>adapter_final</c>, both in
/// PEFT's layout. Compares gradients, logits before and after, adapters and merged weights.
/// </summary>
internal static class LoraStepsVerifier
{
    /// <summary>Name prefix of a gradient before the first step, followed by the adapter's name in PEFT's files.</summary>
    public const string GradientPrefix = "grad0.";

    /// <summary>Name prefix in reports of a tensor in <c>adapter_final</c>.</summary>
    public const string FinalPrefix = "adapter_final ";

    /// <summary>Name prefix of a weight with its adapter merged, followed by the weight's name.</summary>
    public const string MergedPrefix = "merged.";

    private const string Prefix = "base_model.model.";

    /// <param name="model">Model with the weights that the adapters belong to; it is modified.</param>
    /// <exception cref="InvalidDataException">The adapters cannot be read or do not fit the model.</exception>
    public static CaseReport Verify(ModelCase recorded, Phi3VisionModel model, string name)
    {
        if (TrainingSteps.Unsupported(recorded) is { } reason) return new CaseReport(name, [], [$"everything: {reason}"]);
        foreach (var parameter in model.parameters()) parameter.requires_grad = false;
        using var adapters = PeftFolder.Load(Path.Combine(recorded.Folder, "adapter_init"), model);
        var parameters = adapters.Parameters.ToDictionary(pair => Prefix + pair.Name, pair => pair.Parameter, StringComparer.Ordinal);
        List<Comparison> comparisons =
        [
            .. Logits(recorded, model, "logits_step0", Tolerances.Of("logits")!.Value),
            .. Gradients(recorded, model, parameters),
            .. TrainingSteps.Take(recorded, model, [.. parameters.Values]),
            .. Logits(recorded, model, "logits_final", Tolerances.AdaptedLogits),
            .. Final(recorded, parameters),
        ];
        adapters.Merge();
        comparisons.AddRange(Merged(recorded, model));
        comparisons.AddRange(Logits(recorded, model, "logits_final", Tolerances.AdaptedLogits).Select(c => c with { Output = $"{c.Output}, merged" }));
        var unknown = recorded.Outputs.Except(comparisons.Select(comparison => comparison.Output));
        return new CaseReport(name, comparisons, [.. unknown.Select(output => $"{output}: unknown")]);
    }

    private static IEnumerable<Comparison> Logits(ModelCase recorded, Phi3VisionModel model, string output, double tolerance)
    {
        if (!recorded.Outputs.Contains(output) || recorded.Inputs().Batch is not { } batch) yield break;
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        yield return TensorDifference.Absolute(output, recorded.Read(output), model.forward(batch), tolerance, batch.AttentionMask);
    }

    private static List<Comparison> Gradients(ModelCase recorded, Phi3VisionModel model, Dictionary<string, Parameter> parameters)
    {
        using var scope = NewDisposeScope();
        var outputs = Outputs(recorded, GradientPrefix);
        if (outputs.Count > 0) LossAndGradients.Mean(model, recorded.Inputs()).backward();
        return
        [
            .. outputs.Select(output => Of(parameters, output[GradientPrefix.Length..]).grad is { } gradient
                ? TensorDifference.Relative(output, recorded.Read(output), gradient, Tolerances.Gradients, Tolerances.SmallestGradient)
                : new Comparison(output, double.PositiveInfinity, Tolerances.Gradients, "the parameter has no gradient")),
        ];
    }

    private static IEnumerable<Comparison> Final(ModelCase recorded, Dictionary<string, Parameter> parameters)
    {
        var path = Path.Combine(recorded.Folder, "adapter_final", PeftFolder.FileName);
        if (!File.Exists(path)) yield break;
        using var final = SafetensorsFile.Open(path);
        foreach (var entry in final.Entries)
            yield return TensorDifference.Absolute(
                FinalPrefix + entry.Name, final.Read(entry.Name), Of(parameters, entry.Name), Tolerances.Adapters);
    }

    private static IEnumerable<Comparison> Merged(ModelCase recorded, Phi3VisionModel model)
    {
        var weights = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter, StringComparer.Ordinal);
        return Outputs(recorded, MergedPrefix).Select(output =>
            TensorDifference.Absolute(output, recorded.Read(output), Of(weights, output[MergedPrefix.Length..]), Tolerances.MergedWeights));
    }

    private static List<string> Outputs(ModelCase recorded, string prefix) =>
        [.. recorded.Outputs.Where(output => output.StartsWith(prefix, StringComparison.Ordinal))];

    private static Parameter Of(Dictionary<string, Parameter> parameters, string name) =>
        parameters.GetValueOrDefault(name) ?? throw new InvalidDataException($"'{name}' is recorded, but there is no such parameter.");
}

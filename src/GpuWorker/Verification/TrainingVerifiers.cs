using System.Text.Json;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Repeats a recorded full fine-tuning by <see cref="RecordedAdamWSteps"/> and compares losses and weights.</summary>
internal static class FullTrainingVerifier
{
    private const string FinalPrefix = "final.";

    /// <param name="model">Model with the initial weights; it is modified.</param>
    public static CaseReport Verify(ModelCase recorded, Phi3VisionModel model, string name)
    {
        if (RecordedAdamWSteps.Unsupported(recorded) is { } reason) return new CaseReport(name, [], [$"everything: {reason}"]);
        var parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter, StringComparer.Ordinal);
        var before = Unchanged(recorded).Select(parameter => (Name: parameter, Value: parameters[parameter].detach().clone())).ToList();
        var comparisons = new List<Comparison>(RecordedAdamWSteps.Take(recorded, model, [.. parameters.Values]));
        var final = recorded.Outputs.Where(output => output.StartsWith(FinalPrefix, StringComparison.Ordinal)).ToList();
        comparisons.AddRange(final.Select(output =>
            TensorDifference.Absolute(output, recorded.Read(output), parameters[output[FinalPrefix.Length..]], Tolerances.StepWeights)));
        if (before.Count > 0)
        {
            comparisons.Add(Comparison.Exact(
                "unchanged parameters",
                before.Select(parameter => (parameter.Name, Unchanged: true)),
                before.Select(parameter => (parameter.Name, parameter.Value.Equals(parameters[parameter.Name])))));
        }
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

/// <summary>
/// Repeats a recorded fine-tuning of adapters: from <c>adapter_init</c> by <see cref="RecordedAdamWSteps"/> to <c>adapter_final</c>, both
/// in PEFT's layout. Compares gradients, logits before and after, adapters and merged weights.
/// </summary>
internal static class LoraTrainingVerifier
{
    /// <summary>Name prefix of a gradient before the first step, followed by the adapter's name in PEFT's files.</summary>
    public const string GradientPrefix = "grad0.";

    /// <summary>Name prefix in reports of a tensor in <c>adapter_final</c>.</summary>
    public const string FinalPrefix = "adapter_final ";

    /// <summary>Name prefix of a weight with its adapter merged, followed by the weight's name.</summary>
    public const string MergedPrefix = "merged.";

    // PEFT's wrappers in the names of its files: PeftModel.base_model is a LoraModel, whose model is the wrapped one.
    private const string Prefix = "base_model.model.";

    /// <param name="model">Model with the weights that the adapters belong to; it is modified.</param>
    /// <exception cref="InvalidDataException">The adapters cannot be read or do not fit the model.</exception>
    public static CaseReport Verify(ModelCase recorded, Phi3VisionModel model, string name)
    {
        if (RecordedAdamWSteps.Unsupported(recorded) is { } reason) return new CaseReport(name, [], [$"everything: {reason}"]);
        foreach (var parameter in model.parameters()) parameter.requires_grad = false;
        using var adapters = PeftFolder.Load(Path.Combine(recorded.Folder, "adapter_init"), model);
        var parameters = adapters.Parameters.ToDictionary(pair => Prefix + pair.Name, pair => pair.Parameter, StringComparer.Ordinal);
        List<Comparison> comparisons =
        [
            .. Logits(recorded, model, "logits_step0", Tolerances.Of("logits")!.Value),
            .. Gradients(recorded, model, parameters),
            .. RecordedAdamWSteps.Take(recorded, model, [.. parameters.Values]),
            .. Logits(recorded, model, "logits_final", Tolerances.AdaptedLogits),
            .. Final(recorded, parameters),
        ];
        adapters.Merge();
        comparisons.AddRange(Merged(recorded, model));
        comparisons.AddRange(Logits(recorded, model, "logits_final", Tolerances.AdaptedLogits)
            .Select(c => c with { Output = $"{c.Output}, merged" }));
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
        {
            yield return TensorDifference.Absolute(
                FinalPrefix + entry.Name, final.Read(entry.Name), Of(parameters, entry.Name), Tolerances.Adapters);
        }
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

/// <summary>
/// Repeats recorded steps of AdamW on a recording's batch, with all parameters in one group. Parameters without a gradient stay unchanged,
/// also by weight decay.
/// </summary>
internal static class RecordedAdamWSteps
{
    private const string Losses = "losses";

    /// <summary>Returns the reason why the recorded steps cannot be repeated; null when they can.</summary>
    public static string? Unsupported(ModelCase recorded)
    {
        var options = recorded.Description.GetProperty("optimizer");
        string? Text(string key) => options.TryGetProperty(key, out var value) ? value.GetString() : null;
        if (Text("name") != "AdamW") return $"the optimizer '{Text("name")}' is unknown";
        return Text("schedule") is null or "constant" ? null : $"the schedule '{Text("schedule")}' is unknown";
    }

    /// <summary>Takes the recorded steps and compares the loss before each step and after the last.</summary>
    /// <param name="parameters">Parameters to train.</param>
    public static IReadOnlyList<Comparison> Take(ModelCase recorded, Phi3VisionModel model, IReadOnlyList<Parameter> parameters)
    {
        var losses = torch.tensor(Train(recorded, model, parameters));
        var comparison = TensorDifference.Absolute(Losses, recorded.Read(Losses), losses, Tolerances.StepLosses);
        if (!recorded.Description.TryGetProperty(Losses, out var described)) return [comparison];
        var expected = torch.tensor(described.EnumerateArray().Select(loss => loss.GetSingle()).ToArray());
        return [comparison, TensorDifference.Absolute($"case.json {Losses}", expected, losses, Tolerances.StepLosses)];
    }

    private static float[] Train(ModelCase recorded, Phi3VisionModel model, IReadOnlyList<Parameter> parameters)
    {
        var options = recorded.Description.GetProperty("optimizer");
        var inputs = recorded.Inputs();
        var clipped = options.TryGetProperty("grad_clip", out var limit) && limit.ValueKind == JsonValueKind.Number;
        var states = parameters.Select(p => new AdamWState(p, Number("beta1"), Number("beta2"), Number("eps"))).ToList();
        var losses = new List<float>();
        try
        {
            // One forward more than steps: the loss after the last step is recorded too.
            for (var steps = options.GetProperty("steps").GetInt32(); ; steps--)
            {
                using var scope = NewDisposeScope();
                // Null, not zero: weight decay would still shrink a parameter with a zero gradient.
                foreach (var parameter in parameters) parameter.grad = null;
                var loss = LossAndGradients.Mean(model, inputs);
                losses.Add(loss.item<float>());
                if (steps == 0) return [.. losses];
                loss.backward();
                if (clipped) nn.utils.clip_grad_norm_(parameters, limit.GetDouble());
                using var untracked = no_grad();
                foreach (var (parameter, state) in parameters.Zip(states))
                    if (parameter.grad is { } gradient) state.Step(gradient, Number("lr"), Number("weight_decay"));
            }
        }
        finally
        {
            foreach (var state in states) state.Dispose();
        }

        double Number(string key) => options.GetProperty(key).GetDouble();
    }
}

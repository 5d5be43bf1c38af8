using System.Text.Json;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Full fine-tuning as recorded: some steps of AdamW on one batch, with all parameters in one group. Parameters without a gradient are not
/// touched, not even by weight decay.
/// </summary>
internal static class TrainingStepsVerifier
{
    private const string FinalPrefix = "final.";

    /// <param name="model">With the weights to start from; it is changed.</param>
    public static CaseReport Verify(ModelCase recorded, Phi3VisionModel model, string name)
    {
        var options = recorded.Description.GetProperty("optimizer");
        if (Unsupported(options) is { } reason) return new CaseReport(name, [], [$"everything: {reason}"]);
        var parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter, StringComparer.Ordinal);
        var before = Unchanged(recorded).Select(parameter => (Name: parameter, Value: parameters[parameter].detach().clone())).ToList();
        var losses = torch.tensor(Train(recorded, model, options));

        var comparisons = new List<Comparison>
        {
            TensorDifference.Absolute("losses", recorded.Read("losses"), losses, Tolerances.StepLosses),
        };
        if (recorded.Description.TryGetProperty("losses", out var described))
        {
            var expected = torch.tensor(described.EnumerateArray().Select(loss => loss.GetSingle()).ToArray());
            comparisons.Add(TensorDifference.Absolute("case.json losses", expected, losses, Tolerances.StepLosses));
        }
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

    private static float[] Train(ModelCase recorded, Phi3VisionModel model, JsonElement options)
    {
        var inputs = recorded.Inputs();
        var clipped = options.TryGetProperty("grad_clip", out var limit) && limit.ValueKind == JsonValueKind.Number;
        var parameters = model.parameters().ToList();
        using var optimizer = torch.optim.AdamW(
            parameters, lr: Number("lr"), beta1: Number("beta1"), beta2: Number("beta2"), eps: Number("eps"),
            weight_decay: Number("weight_decay"));
        var losses = new List<float>();
        for (var steps = options.GetProperty("steps").GetInt32(); ; steps--)
        {
            using var scope = NewDisposeScope();
            model.zero_grad();
            var loss = LossAndGradients.Mean(model, inputs);
            losses.Add(loss.item<float>());
            if (steps == 0) break;
            loss.backward();
            if (clipped) nn.utils.clip_grad_norm_(parameters, limit.GetDouble());
            optimizer.step();
        }
        model.zero_grad();
        return [.. losses];

        double Number(string key) => options.GetProperty(key).GetDouble();
    }

    private static string? Unsupported(JsonElement options)
    {
        string? Text(string key) => options.TryGetProperty(key, out var value) ? value.GetString() : null;
        if (Text("name") != "AdamW") return $"the optimizer '{Text("name")}' is unknown";
        return Text("schedule") is null or "constant" ? null : $"the schedule '{Text("schedule")}' is unknown";
    }

    private static IEnumerable<string> Unchanged(ModelCase recorded) =>
        recorded.Description.TryGetProperty("unchanged_params_no_gradient", out var names)
            ? names.EnumerateArray().Select(name => name.GetString()!)
            : [];
}

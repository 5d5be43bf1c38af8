using System.Text.Json;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Repeats recorded steps of AdamW on a recording's batch, with all parameters in one group. Parameters without a gradient stay unchanged,
/// also by weight decay.
/// </summary>
internal static class TrainingSteps
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
            for (var steps = options.GetProperty("steps").GetInt32(); ; steps--)
            {
                using var scope = NewDisposeScope();
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

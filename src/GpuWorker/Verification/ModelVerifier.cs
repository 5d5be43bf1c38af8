using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Computes the outputs that are recorded of a model and compares them.</summary>
/// <param name="weights">Model folder to use instead of the weights of the cases; null to use those.</param>
internal sealed class ModelVerifier(string? weights, Device device)
{
    /// <summary>Verifies the case in a folder, or all cases in the folders below.</summary>
    /// <exception cref="CommandException">The folder has no case.</exception>
    public IEnumerable<CaseReport> Verify(string root) =>
        CaseFolders.Report(root, CaseFolders.Find(root, ModelCase.TensorsName), (folder, name) => [Verify(folder, name)]);

    private CaseReport Verify(string folder, string name)
    {
        using var scope = NewDisposeScope();
        using var recorded = ModelCase.Open(folder);
        var source = weights ?? recorded.WeightsFolder;
        using var model = ModelFolder.LoadModel(source, Phi3VisionConfig.Load(source), device, ScalarType.Float32);
        if (recorded.Kind == "adamw") return TrainingStepsVerifier.Verify(recorded, model, name);
        if (recorded.Kind == "lora") return LoraStepsVerifier.Verify(recorded, model, name);
        var inputs = recorded.Inputs();
        var comparisons = new List<Comparison>();
        var unknown = recorded.Outputs.Where(output => Tolerances.Of(output) is null && !IsGradient(output)).ToList();
        comparisons.AddRange(RecordedPictures.Compare(recorded, out var notChecked));
        comparisons.AddRange(CompareOutputs(recorded, model, inputs));
        comparisons.AddRange(GradientComparisons.Compare(recorded, model, inputs));
        var missing = recorded.Outputs.Where(output => !IsGradient(output)).Except(unknown).Except(comparisons.Select(c => c.Output));
        return new CaseReport(name, comparisons,
        [
            .. notChecked,
            .. unknown.Select(output => $"{output}: unknown"),
            .. missing.Select(output => $"{output}: what it is computed from is not recorded"),
        ]);
    }

    private static IEnumerable<Comparison> CompareOutputs(ModelCase recorded, Phi3VisionModel model, ModelCaseInputs inputs)
    {
        var outputs = recorded.Outputs;
        // All generated outputs, tokens [B, steps] and logits [B, steps, V], have the same number of steps.
        var generated = outputs.FirstOrDefault(
            output => output.Contains("greedy_", StringComparison.Ordinal) || output.StartsWith("cross.", StringComparison.Ordinal));
        var steps = generated is null ? 1 : (int)recorded.Read(generated).shape[1];
        foreach (var (name, value) in ModelOutputs.Compute(model, inputs, outputs.Contains, steps))
        {
            using var scope = NewDisposeScope();
            var expected = recorded.Read(name);
            yield return Tolerances.Of(name) is 0
                ? TensorDifference.Exact(name, expected, value)
                : TensorDifference.Absolute(
                    name, expected, value, Tolerances.Of(name)!.Value, IsByPosition(name) ? inputs.Batch!.AttentionMask : null);
        }
    }

    private static bool IsGradient(string output) => output.StartsWith(GradientComparisons.Prefix, StringComparison.Ordinal);

    // True for outputs of shape [B, L, …], whose padding positions have no meaning.
    private static bool IsByPosition(string output) =>
        output is "logits" or "final_hidden" || output.StartsWith("hidden_", StringComparison.Ordinal);
}

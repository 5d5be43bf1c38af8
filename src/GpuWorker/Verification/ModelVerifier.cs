using System.Text.Json;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
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
        if (recorded.Kind == "adamw") return FullTrainingVerifier.Verify(recorded, model, name);
        if (recorded.Kind == "lora") return LoraTrainingVerifier.Verify(recorded, model, name);
        var inputs = recorded.Inputs();
        var comparisons = new List<Comparison>();
        var unknown = recorded.Outputs.Where(output => Tolerances.Of(output) is null && !IsGradient(output)).ToList();
        comparisons.AddRange(PixelComparison.Compare(recorded, out var notChecked));
        comparisons.AddRange(CompareOutputs(recorded, model, inputs));
        comparisons.AddRange(GradientComparison.Compare(recorded, model, inputs));
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

    private static bool IsGradient(string output) => output.StartsWith(GradientComparison.Prefix, StringComparison.Ordinal);

    // True for outputs of shape [B, L, …], whose padding positions have no meaning.
    private static bool IsByPosition(string output) =>
        output is "logits" or "final_hidden" || output.StartsWith("hidden_", StringComparison.Ordinal);
}

/// <summary>Compares the image files of a case, where it has them, with the recorded pixels.</summary>
internal static class PixelComparison
{
    // Largest relative rounding error of bfloat16, whose significand has 8 bits: half a step of 2^-7.
    private const double HalfBfloat16 = 1.0 / 256;

    /// <param name="notChecked">Outputs that cannot be compared, each with the reason.</param>
    public static IReadOnlyList<Comparison> Compare(ModelCase recorded, out IReadOnlyList<string> notChecked)
    {
        notChecked = [];
        if (!recorded.Description.TryGetProperty("image_files", out var files) || files.GetArrayLength() == 0) return [];
        if (!recorded.Has("pixel_values") || !recorded.Description.TryGetProperty("num_crops", out var numCrops))
        {
            notChecked = ["image_files: pixel_values or num_crops are not recorded"];
            return [];
        }
        using var scope = NewDisposeScope();
        var replaced = recorded.Description.TryGetProperty("global_view_replaced", out var flag) && flag.GetBoolean();
        if (replaced) notChecked = ["pixel_values of global views: they were replaced"];
        var stored = recorded.Read("pixel_values");
        var pixels = stored.to(ScalarType.Float32).contiguous();
        // A relative error of 2^-8 on the largest pixel bounds the absolute error of all.
        var tolerance = stored.dtype == ScalarType.BFloat16 ? HalfBfloat16 * pixels.abs().max().item<float>() : Tolerances.Pixels;
        var expected = pixels.data<float>().ToArray();
        var perImage = expected.Length / (int)pixels.shape[0];
        var processor = new ImageProcessor(numCrops.GetInt32());
        var (worst, sizes) = (0.0, new List<long>());
        foreach (var (file, i) in files.EnumerateArray().Select((file, i) => (file.GetString()!, i)))
        {
            var path = Path.Combine(recorded.Folder, file);
            if (Path.GetFileName(file) != file || !File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
            using var image = ImageReader.Read(File.ReadAllBytes(path));
            var processed = processor.Process(image);
            sizes.AddRange([processed.Height, processed.Width]);
            worst = Math.Max(worst, Largest(expected.AsSpan(i * perImage, perImage), processed, skipGlobal: replaced));
        }
        return
        [
            new Comparison("pixel_values", worst, tolerance),
            Comparison.Exact("image_sizes", TensorDifference.Integers(recorded.Read("image_sizes")), sizes),
        ];
    }

    /// <summary>Returns the largest difference over all views. Views beyond the processed ones are filler and must be zero.</summary>
    private static double Largest(ReadOnlySpan<float> expected, ProcessedImage processed, bool skipGlobal)
    {
        const int view = 3 * Phi3VisionConfig.ViewSize * Phi3VisionConfig.ViewSize;
        if (expected.Length < processed.Views * view) return double.PositiveInfinity;
        var worst = 0.0;
        for (var i = skipGlobal ? view : 0; i < expected.Length; i++)
            worst = Math.Max(worst, Math.Abs(expected[i] - (i < processed.Views * view ? processed.PixelValues[i] : 0f)));
        return worst;
    }
}

/// <summary>Compares a case's loss, its gradients, their norms, and the parameters without a gradient.</summary>
internal static class GradientComparison
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
        {
            yield return new Comparison(
                "case.json loss", Math.Abs(number.GetSingle() - computed.Loss.item<float>()), Tolerances.Of("loss")!.Value);
        }
        foreach (var name in gradients)
        {
            using var scope = NewDisposeScope();
            yield return computed.Gradient(name[Prefix.Length..]) is { } gradient
                ? TensorDifference.Relative(name, recorded.Read(name), gradient, Tolerances.Gradients, Tolerances.SmallestGradient)
                : new Comparison(name, double.PositiveInfinity, Tolerances.Gradients, "the parameter has no gradient");
        }
        if (reached)
        {
            yield return Comparison.Exact(
                WithoutGradient,
                without.EnumerateArray().Select(name => name.GetString()).Order(StringComparer.Ordinal),
                computed.WithoutGradient().Order(StringComparer.Ordinal));
        }
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
            // The first NaN stays the worst: no comparison with it holds.
            if (!double.IsNaN(worst) && !(difference <= worst)) (worst, where) = (difference, entry.Name);
        }
        return new Comparison(Norms, worst, Tolerances.Gradients, worst <= Tolerances.Gradients ? null : where);
    }
}

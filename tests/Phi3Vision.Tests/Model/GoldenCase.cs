using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using FunctionsPipeline.Tests;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>Weights, inputs and outputs that were recorded from the published model code on small random weights.</summary>
internal sealed class GoldenCase : IDisposable
{
    private readonly SafetensorsFile _recorded;
    private readonly JsonDocument _case;

    private GoldenCase(string folder)
    {
        Model = ModelFolder.LoadModel(folder, Phi3VisionConfig.Load(folder), CPU, ScalarType.Float32);
        _recorded = SafetensorsFile.Open(Path.Combine(folder, "io.safetensors"));
        _case = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "case.json")));
    }

    public Phi3VisionModel Model { get; }

    /// <summary>The complete sequence, answer included.</summary>
    public ModelInput Input => new(Recorded("input_ids"), Recorded("attention_mask"), Pixels, Sizes);

    /// <summary>The prompt alone.</summary>
    public ModelInput Prompt => new(Recorded("gen_input_ids"), Recorded("gen_attention_mask"), Pixels, Sizes);

    public IReadOnlyList<string> ParametersWithoutGradient =>
        [.. _case.RootElement.GetProperty("no_grad_params").EnumerateArray().Select(name => name.GetString()!)];

    public IEnumerable<string> Names => _recorded.Entries.Select(entry => entry.Name);

    private Tensor? Pixels => Has("pixel_values") ? Recorded("pixel_values").to(ScalarType.Float32) : null;

    private Tensor? Sizes => Has("image_sizes") ? Recorded("image_sizes") : null;

    public static GoldenCase Load(string name) => new(FolderOf(name));

    /// <summary>
    /// The names of all cases that are here: those copied beside the tests, and those of the shared data when that is there.
    /// </summary>
    public static IReadOnlyList<string> All { get; } =
        [.. Roots.Where(Directory.Exists).SelectMany(Directory.GetDirectories)
            .Where(folder =>
                File.Exists(Path.Combine(folder, "io.safetensors")) && File.Exists(Path.Combine(folder, Phi3VisionConfig.FileName)))
            .Select(folder => Path.GetFileName(folder)).Distinct().Order(StringComparer.Ordinal)];

    public bool Has(string name) => Names.Contains(name);

    public Tensor Recorded(string name) => _recorded.Read(name);

    /// <summary>Recorded gradients by parameter.</summary>
    public IEnumerable<(string Parameter, Tensor Gradient)> Gradients() =>
        Names.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).Select(name => (name["grad.".Length..], Recorded(name)));

    public void Dispose()
    {
        Model.Dispose();
        _recorded.Dispose();
        _case.Dispose();
    }

    private static IEnumerable<string> Roots
    {
        get
        {
            yield return Path.Combine(AppContext.BaseDirectory, "Fixtures");
            if (TestData.Root is not null) yield return TestData.Path("golden/model");
        }
    }

    private static string FolderOf(string name) => Roots.Select(root => Path.Combine(root, name)).First(Directory.Exists);
}

/// <summary>The cases that recorded a tensor; none for a theory without one, which xunit reports.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoldenCasesAttribute(string withTensor) : Xunit.Sdk.DataAttribute
{
    public override IEnumerable<object[]> GetData(System.Reflection.MethodInfo testMethod)
    {
        foreach (var name in GoldenCase.All)
        {
            using var golden = GoldenCase.Load(name);
            if (golden.Has(withTensor)) yield return [name];
        }
    }
}

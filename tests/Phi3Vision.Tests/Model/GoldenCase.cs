using System.Text.Json;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.Phi3Vision;

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

    /// <summary>The whole sequence, answer included.</summary>
    public ModelInput Input => new(Recorded("input_ids"), Recorded("attention_mask"), Pixels, Sizes);

    /// <summary>The prompt alone.</summary>
    public ModelInput Prompt => new(Recorded("gen_input_ids"), Recorded("gen_attention_mask"), Pixels, Sizes);

    public IReadOnlyList<string> ParametersWithoutGradient => [.. _case.RootElement.GetProperty("no_grad_params").EnumerateArray().Select(name => name.GetString()!)];

    private Tensor? Pixels => Has("pixel_values") ? Recorded("pixel_values").to(ScalarType.Float32) : null;

    private Tensor? Sizes => Has("image_sizes") ? Recorded("image_sizes") : null;

    public static GoldenCase Load(string name) => new(FolderOf(name));

    /// <summary>The folder of a case: copied beside the tests, or in the shared data.</summary>
    public static string FolderOf(string name)
    {
        var copied = Path.Combine(AppContext.BaseDirectory, "Fixtures", name);
        return Directory.Exists(copied) ? copied : TestData.Path($"golden/model/{name}");
    }

    public bool Has(string name) => _recorded.Entries.Any(entry => entry.Name == name);

    public Tensor Recorded(string name) => _recorded.Read(name);

    /// <summary>Recorded gradients by parameter.</summary>
    public IEnumerable<(string Parameter, Tensor Gradient)> Gradients() =>
        _recorded.Entries.Where(entry => entry.Name.StartsWith("grad.", StringComparison.Ordinal)).Select(entry => (entry.Name["grad.".Length..], Recorded(entry.Name)));

    public void Dispose()
    {
        Model.Dispose();
        _recorded.Dispose();
        _case.Dispose();
    }
}

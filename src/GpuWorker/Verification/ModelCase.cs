using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Recording of a model in a folder: inputs and outputs in <c>io.safetensors</c>, and <c>case.json</c>. The weights are the folder's own
/// (<c>config.json</c>, <c>model.safetensors</c>) or those of the folder that <c>case.json</c> names as <c>base</c>, which also supplies
/// the batch when the case has none.
/// </summary>
internal sealed class ModelCase : IDisposable
{
    /// <summary>Name of the file with the tensors.</summary>
    public const string TensorsName = "io.safetensors";

    /// <summary>Name of the file with all other facts.</summary>
    public const string DescriptionName = "case.json";

    private static readonly string[] InputNames =
    [
        "input_ids", "attention_mask", "labels", "pixel_values", "image_sizes", "gen_input_ids", "gen_attention_mask", "cross.input_ids",
    ];

    private readonly JsonDocument _description;
    private readonly SafetensorsFile _file;
    private readonly ModelCase? _base;

    private ModelCase(string folder, bool followBase)
    {
        Folder = folder;
        var description = Path.Combine(folder, DescriptionName);
        _description = JsonDocument.Parse(File.Exists(description) ? File.ReadAllBytes(description) : "{}"u8.ToArray());
        _file = SafetensorsFile.Open(Path.Combine(folder, TensorsName));
        if (!followBase || Text("base") is not { } relative) return;
        BaseFolder = Path.GetFullPath(Path.Combine(folder, relative));
        if (!Directory.Exists(BaseFolder))
            throw new InvalidDataException($"'{folder}' names '{relative}' as its base, which is not there.");
        // The base's own base is not followed, so that two folders that name each other end here.
        if (!Has("input_ids") && !Has("gen_input_ids") && File.Exists(Path.Combine(BaseFolder, TensorsName)))
            _base = new ModelCase(BaseFolder, followBase: false);
    }

    public string Folder { get; }

    /// <summary>Root element of <c>case.json</c>.</summary>
    public JsonElement Description => _description.RootElement;

    /// <summary>Kind of the recording, such as <c>adamw</c>; null for forward, backward and generation.</summary>
    public string? Kind => Text("kind");

    /// <summary>Names of the recorded tensors, without the inputs.</summary>
    public IReadOnlyList<string> Outputs => [.. _file.Entries.Select(entry => entry.Name).Except(InputNames)];

    /// <summary>Folder with the weights.</summary>
    public string WeightsFolder => File.Exists(Path.Combine(Folder, Phi3VisionConfig.FileName)) ? Folder : BaseFolder ?? Folder;

    private string? BaseFolder { get; }

    /// <exception cref="InvalidDataException">A file in the folder is missing or malformed.</exception>
    public static ModelCase Open(string folder) => new(folder, followBase: true);

    /// <summary>True when a tensor is recorded, in this folder or in the base.</summary>
    public bool Has(string name) => _file.Entries.Any(entry => entry.Name == name) || _base?.Has(name) == true;

    /// <summary>Reads a recorded tensor, on the CPU and in its recorded type.</summary>
    public Tensor Read(string name) =>
        _file.Entries.Any(entry => entry.Name == name) || _base is null ? _file.Read(name) : _base.Read(name);

    /// <summary>Reads the inputs that the outputs belong to.</summary>
    public ModelCaseInputs Inputs() => new()
    {
        Batch = Input("input_ids", "attention_mask"),
        Labels = Optional("labels"),
        Prompts = Input("gen_input_ids", "gen_attention_mask"),
        Crossing = Has("cross.input_ids") ? new ModelInput(Read("cross.input_ids")) : null,
    };

    /// <summary>Returns a string of <c>case.json</c>; null when it is missing.</summary>
    public string? Text(string key) =>
        Description.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <inheritdoc />
    public void Dispose()
    {
        _description.Dispose();
        _file.Dispose();
        _base?.Dispose();
    }

    // Pixels may be recorded in bfloat16 to keep the file small; the model was fed their float32 values.
    private ModelInput? Input(string ids, string mask) =>
        Has(ids)
            ? new ModelInput(Read(ids), Optional(mask), Optional("pixel_values")?.to(ScalarType.Float32), Optional("image_sizes"))
            : null;

    private Tensor? Optional(string name) => Has(name) ? Read(name) : null;
}

/// <summary>Inputs of the model in a recording, with B rows and L tokens.</summary>
internal sealed record ModelCaseInputs
{
    /// <summary>Prompts and answers, for forward and backward. Positions are 0 to L - 1 in every row, padding included.</summary>
    public ModelInput? Batch { get; init; }

    /// <summary>Labels I64 [B, L]: -100 at positions without loss.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Prompts alone, padded on the left, for generation.</summary>
    public ModelInput? Prompts { get; init; }

    /// <summary>Prompt whose continuation crosses the end of the original positions.</summary>
    public ModelInput? Crossing { get; init; }
}

using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Reads and writes adapters in PEFT's format (https://github.com/huggingface/peft): <c>adapter_config.json</c> and
/// <c>adapter_model.safetensors</c>. Python's PEFT loads adapters of the published model that are saved here, and vice versa.
/// </summary>
public static class PeftFolder
{
    /// <summary>Name of the file that holds the tensors.</summary>
    public const string FileName = "adapter_model.safetensors";

    // Path of PEFT's wrapper and of the causal model inside it.
    private const string Prefix = "base_model.model.";

    /// <summary>True when a folder holds an adapter.</summary>
    public static bool IsOne(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

    /// <summary>Reads the base model of the adapter in a folder: a repository's name or a folder; null when the file names none.</summary>
    /// <exception cref="InvalidDataException">The configuration is missing or damaged, or uses a feature that is not supported.</exception>
    public static string? BaseModel(string folder) => PeftConfig.Read(folder).BaseModel;

    /// <summary>Saves adapters, and complete the parts of the model that were trained beside them.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="adapters">Adapters, merged or not: merging changes neither A and B nor the parts to save.</param>
    /// <param name="baseModel">Base model of the adapters: a repository's name or a folder.</param>
    /// <param name="whole">
    /// Parts to save complete: the vision tower, the projector (its <c>img_projection</c>; PEFT cannot hold the separators as well), or
    /// none.
    /// </param>
    /// <exception cref="ArgumentException">PEFT cannot hold a part, or a part to save complete has adapters.</exception>
    public static void Save(string folder, LoraAdapters adapters, string baseModel, IReadOnlyCollection<ModelPart>? whole = null)
    {
        var parts = whole ?? [];
        var modules = parts.Order().Select(Module).ToList();
        if (adapters.Layers.FirstOrDefault(layer => parts.Contains(layer.Part)) is { } twice)
            throw new ArgumentException($"{twice.Part} is to be saved whole, but {twice.Layer} has an adapter.", nameof(whole));
        var tensors = Adapters(adapters).Concat(Modules(adapters, modules));
        SafetensorsFile.Write(Path.Combine(folder, FileName), [.. tensors.Select(pair => (Prefix + pair.Name, pair.Tensor))]);
        new PeftConfig(adapters.Settings with { Targets = adapters.TargetNames }, null, modules, baseModel).Write(folder);
    }

    /// <summary>
    /// Attaches the adapters in a folder to a model and copies the modules that are saved complete into the model. The parameters'
    /// <c>requires_grad</c> does not change.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// The folder's files are missing or damaged, use a feature that is not supported, or do not fit the model: every mismatch is listed.
    /// </exception>
    public static LoraAdapters Load(string folder, Phi3VisionModel model)
    {
        var config = PeftConfig.Read(folder);
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InvalidDataException($"'{folder}' has no {FileName}.");
        var layers = LoraTargets.All(model.Config).Where(config.Targets).Select(layer => layer.Name).ToList();
        if (layers.Count == 0) throw new InvalidDataException($"'{folder}': target_modules match no layer of the model.");
        using var file = SafetensorsFile.Open(path);
        var adapters = LoraAdapters.Attach(model, config.Lora with { Targets = layers }, seed: 0);
        try
        {
            var tensors = Adapters(adapters).Concat(Modules(adapters, config.ModulesToSave));
            file.CopyTo([.. tensors.Select(pair => (Prefix + pair.Name, pair.Tensor))], exact: false);
            return adapters;
        }
        catch
        {
            adapters.Dispose();
            throw;
        }
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Adapters(LoraAdapters adapters) =>
        adapters.Parameters.Select(pair => (pair.Name, (Tensor)pair.Parameter));

    /// <summary>Selects the parameters of modules whose names end in one of the endings, which is how PEFT matches them.</summary>
    private static IEnumerable<(string Name, Tensor Tensor)> Modules(LoraAdapters adapters, IReadOnlyList<string> endings) =>
        adapters.ModelParameters
            .Where(pair => Above(pair.Name).Any(module => endings.Any(ending => module.EndsWith(ending, StringComparison.Ordinal))))
            .Select(pair => (pair.Name, (Tensor)pair.Parameter));

    /// <summary>Lists the names of the modules that contain a parameter.</summary>
    private static IEnumerable<string> Above(string name)
    {
        for (var dot = name.LastIndexOf('.'); dot > 0; dot = name.LastIndexOf('.', dot - 1)) yield return name[..dot];
    }

    private static string Module(ModelPart part) => part switch
    {
        ModelPart.VisionTower => "img_processor",
        ModelPart.Projector => "img_projection",
        _ => throw new ArgumentException($"Only the vision tower and the projector can be saved whole, not {part}.", nameof(part)),
    };
}

using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Adapters on disk as PEFT has them (https://github.com/huggingface/peft): <c>adapter_config.json</c> and
/// <c>adapter_model.safetensors</c>. Python's PEFT loads what is saved here for the published model, and the other way round.
/// </summary>
public static class PeftFolder
{
    /// <summary>Name of the file with the tensors.</summary>
    public const string FileName = "adapter_model.safetensors";

    // PEFT's wrapper, and the causal model within it.
    private const string Prefix = "base_model.model.";

    /// <summary>Whether a folder holds an adapter.</summary>
    public static bool IsOne(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

    /// <summary>What the adapter in a folder belongs to, a repository's name or a folder; null when it does not say.</summary>
    /// <exception cref="InvalidDataException">The configuration is missing or damaged, or asks for something that is not done here.</exception>
    public static string? BaseModel(string folder) => PeftConfig.Read(folder).BaseModel;

    /// <summary>Saves adapters, and whole the parts of the model that were trained beside them.</summary>
    /// <param name="folder">A folder that is there.</param>
    /// <param name="adapters">They may have been merged: A, B and the parts to save are what they were.</param>
    /// <param name="baseModel">What they belong to: a repository's name or a folder.</param>
    /// <param name="whole">
    /// Parts to save whole: the vision tower, the projector (its <c>img_projection</c>; PEFT cannot hold the separators beside it), or none.
    /// </param>
    /// <exception cref="ArgumentException">PEFT cannot hold a part, or a part to save whole has adapters.</exception>
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
    /// Attaches the adapters in a folder to a model and copies the modules that are saved whole into it. The model is still frozen or not as
    /// it was.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// The folder's files are missing or damaged, ask for something that is not done here, or do not fit the model: every mismatch is listed.
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

    /// <summary>The parameters below modules whose names end so, which is how PEFT matches them.</summary>
    private static IEnumerable<(string Name, Tensor Tensor)> Modules(LoraAdapters adapters, IReadOnlyList<string> endings) =>
        adapters.ModelParameters
            .Where(pair => Above(pair.Name).Any(module => endings.Any(ending => module.EndsWith(ending, StringComparison.Ordinal))))
            .Select(pair => (pair.Name, (Tensor)pair.Parameter));

    /// <summary>The names of the modules that a parameter is in.</summary>
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

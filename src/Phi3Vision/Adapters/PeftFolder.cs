using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Adapters;

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
    public static bool HoldsAdapter(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

    /// <summary>Reads the base model of the adapter in a folder: a repository's name or a folder; null when the file names none.</summary>
    /// <exception cref="InvalidDataException">The configuration is missing or damaged, or uses a feature that is not supported.</exception>
    public static string? BaseModel(string folder) => PeftConfig.Read(folder).BaseModel;

    /// <summary>Saves adapters, and complete the parts of the model that were trained beside them.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="adapters">Adapters, merged or not: merging changes neither A and B nor the parts to save.</param>
    /// <param name="baseModel">Base model of the adapters: a repository's name or a folder.</param>
    /// <param name="complete">
    /// Parts to save complete: the vision tower, the projector (its <c>img_projection</c>; PEFT cannot hold the separators as well), or
    /// none.
    /// </param>
    /// <exception cref="ArgumentException">PEFT cannot hold a part, or a part to save complete has adapters.</exception>
    public static void Save(string folder, LoraAdapters adapters, string baseModel, IReadOnlyCollection<ModelPart>? complete = null)
    {
        var parts = complete ?? [];
        var modules = parts.Order().Select(Module).ToList();
        if (adapters.Layers.FirstOrDefault(layer => parts.Contains(layer.Part)) is { } twice)
            throw new ArgumentException($"{twice.Part} is to be saved complete, but {twice.Layer} has an adapter.", nameof(complete));
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
        // Any seed will do: the file overwrites A.
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
        _ => throw new ArgumentException($"Only the vision tower and the projector can be saved complete, not {part}.", nameof(part)),
    };
}

/// <summary><c>adapter_config.json</c> of PEFT (https://github.com/huggingface/peft), limited to LoRA of linear layers.</summary>
/// <param name="Lora">Rank, scale and dropout, and the targets when these are a list of names.</param>
/// <param name="Pattern">Regular expression of complete layer names, in place of targets; null for none.</param>
/// <param name="ModulesToSave">Suffixes of the names of modules that the adapter's files hold complete.</param>
/// <param name="BaseModel">Base model of the adapter: a repository's name or a folder; null when the file names none.</param>
internal sealed record PeftConfig(LoraSettings Lora, string? Pattern, IReadOnlyList<string> ModulesToSave, string? BaseModel)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "adapter_config.json";

    // Each of these keys changes the computation, except when absent, null, false or empty.
    private static readonly string[] Unsupported =
    [
        "use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "layers_to_transform", "layer_replication", "lora_bias",
        "exclude_modules", "target_parameters", "trainable_token_indices", "use_qalora", "arrow_config", "alora_invocation_tokens",
    ];

    /// <summary>True when a linear layer of the model is a target.</summary>
    /// <exception cref="InvalidDataException">The pattern takes too long on the layer's name.</exception>
    public bool Targets(LinearLayer layer)
    {
        if (Pattern is null) return Lora.Targets.Any(layer.Is);
        // In PEFT the word means every linear layer but lm_head, the vision tower's included; in our settings, the decoder's only.
        if (Pattern == LoraSettings.AllLinear) return true;
        try
        {
            // Anchored as by PEFT's re.fullmatch. A second bounds the backtracking of an expression from a file.
            return Regex.IsMatch(layer.Name, $"^(?:{Pattern})$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InvalidDataException($"The adapter's target_modules '{Pattern}' take more than a second on '{layer.Name}'.", e);
        }
    }

    /// <summary>Reads the configuration of an adapter folder.</summary>
    /// <exception cref="InvalidDataException">The file is missing or damaged, or uses a feature that is not supported.</exception>
    public static PeftConfig Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            Require(Text(root, "peft_type") == "LORA", $"peft_type is {Text(root, "peft_type") ?? "missing"}, and only LORA is read");
            Require(Text(root, "bias") is null or "none", $"bias is {Text(root, "bias")}, and only none is read");
            var used = Unsupported.Where(key => root.TryGetProperty(key, out var value) && IsUsed(value)).ToList();
            Require(used.Count == 0, $"{string.Join(", ", used)} {(used.Count == 1 ? "is" : "are")} not done here");
            var targets = root.GetProperty("target_modules");
            var lora = new LoraSettings
            {
                Rank = root.GetProperty("r").GetInt32(),
                Alpha = root.GetProperty("lora_alpha").GetDouble(),
                Dropout = root.TryGetProperty("lora_dropout", out var dropout) ? dropout.GetDouble() : 0,
                RankStabilized = root.TryGetProperty("use_rslora", out var stabilized) && stabilized.ValueKind == JsonValueKind.True,
                Targets = targets.ValueKind == JsonValueKind.Array ? Texts(targets) : [],
            };
            Require(lora is { Rank: >= 1, Dropout: >= 0 and < 1 }, $"r is {lora.Rank} and lora_dropout {lora.Dropout}");
            var pattern = targets.ValueKind == JsonValueKind.String ? targets.GetString() : null;
            if (pattern is not null) _ = new Regex(pattern);
            var complete = root.TryGetProperty("modules_to_save", out var saved) && saved.ValueKind == JsonValueKind.Array
                ? Texts(saved)
                : [];
            return new PeftConfig(lora, pattern, complete, Text(root, "base_model_name_or_path"));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"'{folder}' is no adapter: it has no {FileName}.", error);
        }
        catch (Exception error)
            when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw Unusable(error.Message, error);
        }

        void Require(bool condition, string problem)
        {
            if (!condition) throw Unusable(problem);
        }

        InvalidDataException Unusable(string problem, Exception? cause = null) =>
            new($"'{path}' is no adapter that can be used: {problem}.", cause);
    }

    /// <summary>Writes the configuration in inference mode, as PEFT does.</summary>
    public void Write(string folder)
    {
        var json = new JsonObject
        {
            ["base_model_name_or_path"] = BaseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = Lora.Alpha,
            ["lora_dropout"] = Lora.Dropout,
            ["modules_to_save"] = ModulesToSave.Count > 0 ? Array(ModulesToSave) : null,
            ["peft_type"] = "LORA",
            ["r"] = Lora.Rank,
            ["target_modules"] = Array(Lora.Targets),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = Lora.RankStabilized,
        };
        File.WriteAllText(Path.Combine(folder, FileName), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private static bool IsUsed(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };

    private static string? Text(JsonElement root, string key) =>
        root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string[] Texts(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetString() ?? "")];

    private static JsonArray Array(IEnumerable<string> texts) => new([.. texts.Select(text => JsonValue.Create(text))]);
}

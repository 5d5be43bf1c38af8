using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Phi3Vision;

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
    public bool Targets(LoraTarget layer) => Pattern switch
    {
        null => Lora.Targets.Any(layer.Is),
        LoraSettings.AllLinear => true,
        _ => Regex.IsMatch(layer.Name, $"^(?:{Pattern})$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)),
    };

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
            var whole = root.TryGetProperty("modules_to_save", out var saved) && saved.ValueKind == JsonValueKind.Array ? Texts(saved) : [];
            return new PeftConfig(lora, pattern, whole, Text(root, "base_model_name_or_path"));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"'{folder}' is no adapter: it has no {FileName}.", error);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
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

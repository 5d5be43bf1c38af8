using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Phi3Vision.Config;

/// <summary>A model folder's <c>config.json</c>: the published keys, and <c>clip</c> for towers other than ViT-L/14-336.</summary>
public sealed record Phi3VisionConfig
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "config.json";

    /// <summary>Side of a view in pixels, which the HD transform and the token counts depend on.</summary>
    public const int ViewSize = 336;

    private const int MostLayers = 1_000;
    private const int MostOfAnything = 100_000_000;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        RespectNullableAnnotations = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public string ModelType { get; init; } = "phi3_v";

    public int HiddenSize { get; init; }

    public int IntermediateSize { get; init; }

    public int NumHiddenLayers { get; init; }

    public int NumAttentionHeads { get; init; }

    /// <summary>Number of key and value heads; each serves <c>NumAttentionHeads / NumKeyValueHeads</c> consecutive query heads.</summary>
    public int NumKeyValueHeads { get; init; }

    /// <summary>Number of rows of the embedding table and of <c>lm_head</c>; at least the tokenizer's vocabulary size.</summary>
    public int VocabSize { get; init; }

    public string HiddenAct { get; init; } = "silu";

    public double RmsNormEps { get; init; } = 1e-5;

    public double InitializerRange { get; init; } = 0.02;

    public int MaxPositionEmbeddings { get; init; }

    public int OriginalMaxPositionEmbeddings { get; init; }

    public double RopeTheta { get; init; } = 10000;

    public RopeScaling? RopeScaling { get; init; }

    public int? SlidingWindow { get; init; }

    public int BosTokenId { get; init; } = 1;

    public int EosTokenId { get; init; } = 2;

    /// <summary>Id of <c>&lt;|endoftext|&gt;</c>, whose embedding is used but never trained.</summary>
    // The published file has no pad_token_id; 32000 is the default of the published configuration class.
    public int PadTokenId { get; init; } = 32000;

    public bool TieWordEmbeddings { get; init; }

    public ClipConfig Clip { get; init; } = new();

    /// <summary>Keys of the file that do not change the computation, written back as they were read.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? OtherKeys { get; init; }

    /// <summary>Number of dimensions of one attention head.</summary>
    [JsonIgnore]
    public int HeadDim => HiddenSize / NumAttentionHeads;

    /// <summary>Reads <c>config.json</c> of a model folder.</summary>
    /// <exception cref="InvalidDataException">The file is missing, is not JSON, or describes a model that is not supported.</exception>
    public static Phi3VisionConfig Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InvalidDataException($"'{folder}' is not a model folder: it has no {FileName}.");
        Phi3VisionConfig config;
        try
        {
            config = JsonSerializer.Deserialize<Phi3VisionConfig>(File.ReadAllBytes(path), Json)
                ?? throw new InvalidDataException($"'{path}' is null.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"'{path}' cannot be read: {error.Message}", error);
        }
        config.Validate(path);
        return config;
    }

    /// <summary>Writes <c>config.json</c> into a model folder, which is created if missing.</summary>
    public void Save(string folder)
    {
        Validate(FileName);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, Json));
    }

    /// <summary>Checks that the dimensions fit together and that the configuration asks for nothing that the model code lacks.</summary>
    /// <param name="source">Origin of the configuration, for the message.</param>
    /// <exception cref="InvalidDataException">The configuration is not usable; the message lists every problem.</exception>
    public void Validate(string source)
    {
        var problems = Problems().ToList();
        if (problems.Count > 0) throw new InvalidDataException($"{source} is not usable: {string.Join("; ", problems)}.");
    }

    private IEnumerable<string> Problems()
    {
        if (ModelType != "phi3_v") yield return $"model_type is '{ModelType}', not 'phi3_v'";
        if (HiddenAct != "silu") yield return $"hidden_act is '{HiddenAct}', not 'silu'";
        if (TieWordEmbeddings) yield return "tie_word_embeddings is true, but lm_head has weights of its own";
        foreach (var (key, value) in new[]
        {
            ("hidden_size", HiddenSize), ("intermediate_size", IntermediateSize), ("num_hidden_layers", NumHiddenLayers),
            ("num_attention_heads", NumAttentionHeads), ("num_key_value_heads", NumKeyValueHeads), ("vocab_size", VocabSize),
            ("max_position_embeddings", MaxPositionEmbeddings), ("original_max_position_embeddings", OriginalMaxPositionEmbeddings),
            ("clip.hidden_size", Clip.HiddenSize), ("clip.intermediate_size", Clip.IntermediateSize),
            ("clip.num_hidden_layers", Clip.NumHiddenLayers), ("clip.num_attention_heads", Clip.NumAttentionHeads),
        })
        {
            // The bound is far from any model; it keeps a hostile file from asking for two billion layers.
            var most = key.EndsWith("_layers", StringComparison.Ordinal) ? MostLayers : MostOfAnything;
            if (value <= 0 || value > most)
            {
                yield return value <= 0 ? $"{key} is {value}, but must be above 0" : $"{key} is {value}, but must be at most {most}";
                // The checks below divide by these numbers.
                yield break;
            }
        }
        // Rotary position embedding rotates dimension i with i + d/2: d must be even.
        if (HiddenSize % NumAttentionHeads != 0 || HeadDim % 2 != 0)
            yield return $"hidden_size {HiddenSize} does not give {NumAttentionHeads} heads of an even number of dimensions";
        if (NumAttentionHeads % NumKeyValueHeads != 0)
            yield return $"num_attention_heads {NumAttentionHeads} is not a multiple of num_key_value_heads {NumKeyValueHeads}";
        if (PadTokenId < 0 || PadTokenId >= VocabSize) yield return $"pad_token_id {PadTokenId} is not in the vocabulary of {VocabSize}";
        // A window of at least the context's length masks nothing, so that causal attention computes the same.
        if (SlidingWindow < MaxPositionEmbeddings)
            yield return $"sliding_window {SlidingWindow} is below max_position_embeddings, which is not supported";
        if (RopeScaling is { } scaling)
        {
            if (scaling.Type != "su") yield return $"rope_scaling.type is '{scaling.Type}', not 'su'";
            foreach (var (key, factors) in new[] { ("short_factor", scaling.ShortFactor), ("long_factor", scaling.LongFactor) })
            {
                if (factors.Count != HeadDim / 2)
                    yield return $"rope_scaling.{key} has {factors.Count} entries, but a head has {HeadDim / 2} pairs";
                if (factors.Any(factor => factor <= 0)) yield return $"rope_scaling.{key} has entries that are not above 0";
            }
        }
        if (Clip.HiddenSize % Clip.NumAttentionHeads != 0)
            yield return $"clip.hidden_size {Clip.HiddenSize} is not a multiple of clip.num_attention_heads {Clip.NumAttentionHeads}";
        if (Clip is not { ImageSize: ViewSize, PatchSize: 14, NumChannels: 3, HiddenAct: "quick_gelu" })
            yield return "clip must have image_size 336, patch_size 14, num_channels 3 and hidden_act quick_gelu";
    }
}

/// <summary>
/// The <c>su</c> scaling of rotary positions: one divisor of the frequency for each pair of a head's dimensions, d/2 in all.
/// </summary>
public sealed record RopeScaling
{
    public string Type { get; init; } = "su";

    /// <summary>Divisors while all positions of a call are below <see cref="Phi3VisionConfig.OriginalMaxPositionEmbeddings"/>.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>Divisors once a position of a call is at or beyond that limit.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];
}

/// <summary>
/// Dimensions of the CLIP vision tower. The defaults are those of ViT-L/14 at 336 pixels, which the published model uses.
/// </summary>
public sealed record ClipConfig
{
    /// <summary>Width of the patch features.</summary>
    public int HiddenSize { get; init; } = 1024;

    /// <summary>Width of the hidden layer of an MLP.</summary>
    public int IntermediateSize { get; init; } = 4096;

    /// <summary>Number of encoder layers. The last one has weights but is never run: its input is the features.</summary>
    public int NumHiddenLayers { get; init; } = 24;

    public int NumAttentionHeads { get; init; } = 16;

    public int NumChannels { get; init; } = 3;

    /// <summary>Side of a view in pixels.</summary>
    public int ImageSize { get; init; } = 336;

    /// <summary>Side of a patch in pixels.</summary>
    public int PatchSize { get; init; } = 14;

    public double LayerNormEps { get; init; } = 1e-5;

    public string HiddenAct { get; init; } = "quick_gelu";

    public int ProjectionDim { get; init; } = 768;

    public double InitializerFactor { get; init; } = 1.0;

    public double InitializerRange { get; init; } = 0.02;

    public double AttentionDropout { get; init; }

    public double Dropout { get; init; }
}

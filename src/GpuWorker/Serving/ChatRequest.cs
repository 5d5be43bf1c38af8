using System.Text.Json;
using System.Text.Json.Serialization;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Model;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Body of <c>POST /v1/chat/completions</c>, as far as it is supported.</summary>
internal sealed record ChatRequest
{
    // More characters make more tokens than a prompt was ever trained with, and the memory for them.
    private const int LongestText = 4000;

    private const int MostTokens = 1024;

    // For questions that the model was not trained on.
    private const int DefaultTokens = 256;

    private static readonly HashSet<string> WithoutEffect =
        ["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls", "reasoning_effort"];

    // Parameters that are supported with no other value.
    private static readonly JsonElement Neutral = JsonDocument.Parse(
        """
        {
          "n": 1, "frequency_penalty": 0, "presence_penalty": 0, "logprobs": false, "response_format": {"type": "text"},
          "modalities": ["text"], "stop": [], "tools": [], "logit_bias": {}
        }
        """).RootElement;

    public string? Model { get; init; }

    public IReadOnlyList<ChatMessage>? Messages { get; init; }

    public bool Stream { get; init; }

    public ChatStreamOptions? StreamOptions { get; init; }

    public int? MaxTokens { get; init; }

    public int? MaxCompletionTokens { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public long? Seed { get; init; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement> Others { get; init; } = [];

    /// <summary>Checks all but the message.</summary>
    /// <exception cref="ChatException">A parameter is out of range or not supported.</exception>
    public void Validate()
    {
        foreach (var (name, value) in Others)
        {
            var neutral = Neutral.TryGetProperty(name, out var only) && JsonElement.DeepEquals(only, value);
            if (neutral || value.ValueKind == JsonValueKind.Null || WithoutEffect.Contains(name)) continue;
            throw new ChatException($"Unsupported parameter or value: '{name}'.", name, "unsupported_parameter");
        }
        if (Temperature is < 0 or > 2) throw new ChatException("temperature must be from 0 to 2.", "temperature");
        if (TopP is <= 0 or > 1) throw new ChatException("top_p must be above 0 and at most 1.", "top_p");
        if ((MaxCompletionTokens ?? MaxTokens) < 1) throw new ChatException("max_tokens must be at least 1.", "max_tokens");
    }

    /// <summary>Reads the text and the encoded image of the only message.</summary>
    /// <exception cref="ChatException">There are other messages, or the message has not one image and short text.</exception>
    public (string Text, ReadOnlyMemory<byte> Image) ReadMessage()
    {
        if (Messages is not [{ Role: "user" } message])
            throw new ChatException("The model reads one message, from the user, with one image and text.", "messages");
        var parts = message.Content.ValueKind == JsonValueKind.Array ? message.Content.Deserialize<ChatPart[]>(ChatEndpoint.Json)! : [];
        if (parts.FirstOrDefault(part => part.Type is not ("text" or "image_url")) is { } other)
            throw new ChatException($"A part of type '{other.Type}' is not supported: text and image_url are.", "messages");
        var images = parts.Select(part => part.ImageUrl?.Url).OfType<string>().ToList();
        if (images is not [var url])
            throw new ChatException($"The message has {images.Count} images; the model answers to exactly one.", "messages");
        var text = string.Join('\n', parts.Select(part => part.Text).OfType<string>()).Trim();
        if (text.Length > LongestText)
            throw new ChatException($"The text has {text.Length} characters; at most {LongestText} are read.", "messages");
        if (text.Contains("<|", StringComparison.Ordinal))
            throw new ChatException("The text must not contain '<|', which begins the model's own markers.", "messages");
        return (text, Decode(url));
    }

    /// <summary>Converts the parameters to settings of the generation.</summary>
    /// <param name="trained">Settings for the question that the model was trained on.</param>
    /// <param name="asTrained">True when this question is asked; another one is answered in free text.</param>
    public GenerationSettings Settings(GenerationSettings trained, bool asTrained)
    {
        // Greedy unless the caller asks for draws: the same answer as POST /predict.
        var temperature = Temperature ?? (TopP is null or 1 ? 0 : 1);
        var tokens = MaxCompletionTokens ?? MaxTokens ?? (asTrained ? trained.MaxTokens : DefaultTokens);
        return trained with
        {
            MaxTokens = Math.Min(tokens, Math.Max(MostTokens, trained.MaxTokens)),
            Temperature = temperature,
            TopP = temperature == 0 ? 1 : TopP ?? 1,
            Seed = temperature == 0 ? trained.Seed : Seed is { } seed ? seed.GetHashCode() : Random.Shared.Next(),
            Constraint = asTrained ? trained.Constraint : null,
        };
    }

    private static ReadOnlyMemory<byte> Decode(string url)
    {
        const string base64 = ";base64,";
        var start = url.IndexOf(base64, StringComparison.Ordinal) + base64.Length;
        if (!url.StartsWith("data:", StringComparison.Ordinal) || start < base64.Length)
            throw new ChatException("The image must be a data URL, data:image/jpeg;base64,…: no other URL is fetched.", "messages");
        var bytes = new byte[(url.Length - start) / 4 * 3 + 3];
        if (!Convert.TryFromBase64Chars(url.AsSpan(start), bytes, out var count))
            throw new ChatException("The image's data URL is not valid base64.", "messages");
        return count <= ImageLimits.Default.MaxBytes
            ? bytes.AsMemory(0, count)
            : throw new ChatException($"The image has {count:N0} bytes; at most {ImageLimits.Default.MaxBytes:N0} are read.", "messages");
    }
}

/// <summary>Message of a chat.</summary>
/// <param name="Content">Text, or an array of <see cref="ChatPart"/>.</param>
internal sealed record ChatMessage(string? Role, JsonElement Content);

/// <summary>Part of a message.</summary>
internal sealed record ChatPart(string? Type, string? Text, ChatImage? ImageUrl);

/// <summary>URL of an image.</summary>
internal sealed record ChatImage(string? Url);

/// <summary>Options of a streamed answer.</summary>
/// <param name="IncludeUsage">True for a last chunk with the numbers of tokens.</param>
internal sealed record ChatStreamOptions(bool IncludeUsage);

/// <summary>Thrown for a request that cannot be answered; becomes an error in OpenAI's form.</summary>
/// <param name="parameter">Parameter at fault.</param>
internal sealed class ChatException(string message, string? parameter = null, string? code = null, int status = 400) : Exception(message)
{
    public int Status => status;

    public string? Parameter => parameter;

    public string? Code => code;

    /// <summary>Time after which the request may succeed.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

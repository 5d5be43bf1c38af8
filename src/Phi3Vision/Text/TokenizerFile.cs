using System.Text.Json;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Content of a <c>tokenizer.json</c> of the Llama kind: byte-fallback BPE, <c>▁</c> for spaces, no pre-tokenizer.</summary>
internal sealed class TokenizerFile
{
    private TokenizerFile(
        IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> merges, IReadOnlyList<AddedToken> added)
    {
        Vocabulary = vocabulary;
        Merges = merges;
        Added = added;
    }

    /// <summary>Pieces and their ids.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>Pairs that are merged, by rank.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    public IReadOnlyList<AddedToken> Added { get; }

    /// <exception cref="InvalidDataException">The file is not JSON, or of another kind.</exception>
    public static TokenizerFile Parse(ReadOnlyMemory<byte> json, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var model = root.GetProperty("model");
            RequireKind(root, model, source);
            var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var piece in model.GetProperty("vocab").EnumerateObject()) vocabulary[piece.Name] = piece.Value.GetInt32();
            var merges = model.GetProperty("merges").EnumerateArray().Select(Merge).ToList();
            var added = root.GetProperty("added_tokens").EnumerateArray().Select(ParseAdded).ToList();
            RequireBytes(vocabulary, source);
            return new TokenizerFile(vocabulary, merges, added);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"'{source}' is not a tokenizer.json: {error.Message}", error);
        }
    }

    private static (string Left, string Right) Merge(JsonElement merge)
    {
        // Older versions of the format write "left right", newer ones ["left", "right"].
        if (merge.ValueKind == JsonValueKind.Array) return (merge[0].GetString()!, merge[1].GetString()!);
        var text = merge.GetString()!;
        var space = text.IndexOf(' ');
        if (space <= 0) throw new FormatException($"'{text}' is not a merge.");
        return (text[..space], text[(space + 1)..]);
    }

    private static AddedToken ParseAdded(JsonElement token)
    {
        var content = token.GetProperty("content").GetString();
        if (string.IsNullOrEmpty(content)) throw new FormatException("An added token is empty.");
        if (new[] { "lstrip", "single_word", "normalized" }.Any(property => token.GetProperty(property).GetBoolean()))
            throw new FormatException($"Added token '{content}' has lstrip, single_word or normalized set, which is not supported.");
        return new AddedToken(
            token.GetProperty("id").GetInt32(), content, token.GetProperty("rstrip").GetBoolean(), token.GetProperty("special").GetBoolean());
    }

    private static void RequireKind(JsonElement root, JsonElement model, string source)
    {
        var isBpe = model.GetProperty("type").GetString() == "BPE" && model.GetProperty("byte_fallback").GetBoolean();
        var splits = root.TryGetProperty("pre_tokenizer", out var splitter) && splitter.ValueKind != JsonValueKind.Null;
        if (!isBpe || splits)
            throw new InvalidDataException(
                $"'{source}' is not a byte-fallback BPE tokenizer without pre-tokenizer, the kind that Phi-3-Vision uses.");
    }

    private static void RequireBytes(Dictionary<string, int> vocabulary, string source)
    {
        for (var b = 0; b < 256; b++)
            if (!vocabulary.TryGetValue($"<0x{b:X2}>", out var id) || id != SpecialTokens.FirstByte + b)
                throw new InvalidDataException($"'{source}' has no byte token <0x{b:X2}> with id {SpecialTokens.FirstByte + b}.");
    }
}

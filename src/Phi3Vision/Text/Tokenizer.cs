using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace FunctionsPipeline.Phi3Vision.Text;

/// <summary>
/// Tokenizer of a model folder: splits off added tokens, replaces spaces by <c>▁</c> and puts one before every text between added tokens,
/// then applies byte pair encoding with byte fallback. Safe for concurrent use.
/// </summary>
public sealed class Tokenizer
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "tokenizer.json";

    private const char Space = '▁';
    private readonly WordEncoder _encoder;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly string?[] _tokens;
    private readonly string?[] _texts;
    private readonly short[] _bytes;
    private readonly bool[] _special;
    private readonly bool[] _added;
    private readonly AddedTokenSplitter _splitter;

    private Tokenizer(ReadOnlyMemory<byte> json, string source)
    {
        Json = json;
        var file = TokenizerFile.Parse(json, source);
        foreach (var (token, id) in file.Vocabulary) _ids[token] = id;
        foreach (var added in file.Added) _ids[added.Content] = added.Id;
        // The tables have an entry for every id below the largest: a hostile file must not ask for billions.
        if (_ids.Values.Any(id => id is < 0 or > 10_000_000)) throw new InvalidDataException($"'{source}' has token ids out of range.");
        VocabularySize = _ids.Values.Max() + 1;
        _tokens = new string?[VocabularySize];
        foreach (var (token, id) in _ids) _tokens[id] = token;
        _texts = [.. _tokens.Select(token => token?.Replace(Space, ' '))];
        _bytes = [.. _tokens.Select(ByteOf)];
        _special = new bool[VocabularySize];
        _added = new bool[VocabularySize];
        foreach (var added in file.Added) (_special[added.Id], _added[added.Id]) = (added.Special, true);
        _splitter = new AddedTokenSplitter(file.Added);
        _encoder = new WordEncoder(new BytePairEncoder(file.Vocabulary, file.Merges), new CharacterPairs(file.Vocabulary.Keys));
    }

    /// <summary>Number of ids: the largest id plus one.</summary>
    public int VocabularySize { get; }

    /// <summary>Content of the tokenizer.json that this tokenizer was read from.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>Id of <see cref="SpecialTokens.BeginOfText"/>.</summary>
    public int BeginOfText => Id(SpecialTokens.BeginOfText);

    /// <summary>Reads <c>tokenizer.json</c> of a model folder.</summary>
    /// <exception cref="InvalidDataException">The file is missing or not of the kind that Phi-3-Vision uses.</exception>
    public static Tokenizer Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InvalidDataException($"'{folder}' is not a model folder: it has no {FileName}.");
        return new Tokenizer(File.ReadAllBytes(path), path);
    }

    /// <summary>Makes a tokenizer from the text of a tokenizer.json, such as the result of <see cref="TokenizerTrainer.Train"/>.</summary>
    /// <exception cref="InvalidDataException">The text is not of the kind that Phi-3-Vision uses.</exception>
    public static Tokenizer Parse(string json) => new(Encoding.UTF8.GetBytes(json), FileName);

    /// <summary>Returns the id of a token.</summary>
    /// <exception cref="ArgumentException">There is no such token.</exception>
    public int Id(string token) =>
        _ids.TryGetValue(token, out var id) ? id : throw new ArgumentException($"The tokenizer has no token '{token}'.", nameof(token));

    /// <summary>Returns the token of an id; null for an id without a token.</summary>
    public string? Token(int id) => id >= 0 && id < _tokens.Length ? _tokens[id] : null;

    /// <summary>Returns the UTF-8 bytes that a token adds to a text; empty for an added token and for an id without a token.</summary>
    public byte[] Bytes(int id) =>
        Token(id) is null || _added[id] ? [] : _bytes[id] >= 0 ? [(byte)_bytes[id]] : Encoding.UTF8.GetBytes(_texts[id]!);

    /// <summary>Encodes a text, in time proportional to its length for ordinary text.</summary>
    /// <param name="text">Any text; an unpaired surrogate is encoded as U+FFFD.</param>
    /// <param name="addBos">True to begin with <see cref="SpecialTokens.BeginOfText"/>.</param>
    public int[] Encode(string text, bool addBos = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(text.Length / 3 + 2);
        if (addBos) ids.Add(BeginOfText);
        foreach (var (start, length, added) in _splitter.Split(text))
        {
            if (added is not null) ids.Add(added.Id);
            else EncodeSegment(text.AsSpan(start, length), ids);
        }
        return [.. ids];
    }

    /// <summary>
    /// Decodes ids to text, without the space that every text begins with. Ids without a token are left out; in a run of byte tokens that
    /// is not valid UTF-8 every byte becomes U+FFFD.
    /// </summary>
    /// <param name="skipSpecial">True to leave special tokens out.</param>
    public string Decode(IEnumerable<int> ids, bool skipSpecial = true) => DecodeWithSpans([.. ids], skipSpecial).Text;

    /// <summary>Decodes ids to text as <see cref="Decode"/> does, and finds the characters that each id stands for.</summary>
    /// <returns>
    /// The text, and start and end in it for every id: the complete character for each of its bytes, with the space that a token begins
    /// with, an empty span for an id without text.
    /// </returns>
    public (string Text, IReadOnlyList<(int Start, int End)> Spans) DecodeWithSpans(IReadOnlyList<int> ids, bool skipSpecial = true)
    {
        var text = new StringBuilder();
        var spans = new (int Start, int End)[ids.Count];
        var bytes = new List<int>();
        for (var i = 0; i < ids.Count; i++)
        {
            if (Token(ids[i]) is null || (skipSpecial && _special[ids[i]])) continue;
            if (_bytes[ids[i]] >= 0)
            {
                bytes.Add(i);
                continue;
            }
            AppendBytes(bytes);
            spans[i].Start = text.Length;
            spans[i].End = text.Append(_texts[ids[i]]).Length;
        }
        AppendBytes(bytes);
        if (text.Length == 0 || text[0] != ' ') return (text.ToString(), spans);
        return (text.ToString(1, text.Length - 1), [.. spans.Select(span => (Math.Max(0, span.Start - 1), Math.Max(0, span.End - 1)))]);

        void AppendBytes(List<int> places)
        {
            ReadOnlySpan<byte> run = [.. places.Select(i => (byte)_bytes[ids[i]])];
            // As ByteFallback of the Rust tokenizers: one invalid byte makes the complete run invalid.
            var valid = Utf8.IsValid(run);
            for (int at = 0, length = 1; at < run.Length; at += length)
            {
                var rune = Rune.ReplacementChar;
                if (valid) Rune.DecodeFromUtf8(run[at..], out rune, out length);
                var start = text.Length;
                text.Append(rune.ToString());
                foreach (var i in places.Slice(at, length)) spans[i] = (start, text.Length);
            }
            places.Clear();
        }
    }

    private void EncodeSegment(ReadOnlySpan<char> segment, List<int> ids)
    {
        var normalized = ArrayPool<char>.Shared.Rent(segment.Length + 1);
        normalized[0] = Space;
        segment.Replace(normalized.AsSpan(1), ' ', Space);
        _encoder.Encode(normalized.AsSpan(0, segment.Length + 1), ids);
        ArrayPool<char>.Shared.Return(normalized);
    }

    private static short ByteOf(string? token) =>
        token is ['<', '0', 'x', _, _, '>']
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b)
            ? b
            : (short)-1;
}

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
        if (merge.ValueKind == JsonValueKind.Array)
        {
            return merge.GetArrayLength() == 2 && merge[0].GetString() is { } left && merge[1].GetString() is { } right
                ? (left, right)
                : throw new FormatException($"'{merge}' is not a merge.");
        }
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
            token.GetProperty("id").GetInt32(),
            content,
            token.GetProperty("rstrip").GetBoolean(),
            token.GetProperty("special").GetBoolean());
    }

    private static void RequireKind(JsonElement root, JsonElement model, string source)
    {
        var isBpe = model.GetProperty("type").GetString() == "BPE" && model.GetProperty("byte_fallback").GetBoolean();
        var splits = root.TryGetProperty("pre_tokenizer", out var splitter) && splitter.ValueKind != JsonValueKind.Null;
        if (!isBpe || splits)
        {
            throw new InvalidDataException(
                $"'{source}' is not a byte-fallback BPE tokenizer without pre-tokenizer, the kind that Phi-3-Vision uses.");
        }
    }

    private static void RequireBytes(Dictionary<string, int> vocabulary, string source)
    {
        for (var b = 0; b < 256; b++)
        {
            if (!vocabulary.TryGetValue($"<0x{b:X2}>", out var id) || id != SpecialTokens.FirstByte + b)
                throw new InvalidDataException($"'{source}' has no byte token <0x{b:X2}> with id {SpecialTokens.FirstByte + b}.");
        }
    }
}

/// <summary>A token that is matched in the raw text before any other processing.</summary>
/// <param name="Id">Id of the token.</param>
/// <param name="Content">Text that the token matches.</param>
/// <param name="Rstrip">True when the token swallows the white space that follows.</param>
/// <param name="Special">True when the token stands for no text.</param>
internal sealed record AddedToken(int Id, string Content, bool Rstrip, bool Special);

/// <summary>Splits a text into added tokens and the text between them.</summary>
internal sealed class AddedTokenSplitter
{
    private readonly AddedToken[] _tokens;
    private readonly SearchValues<string> _contents;

    public AddedTokenSplitter(IEnumerable<AddedToken> tokens)
    {
        // The longest first, since one token may be a prefix of another.
        _tokens = [.. tokens.OrderByDescending(token => token.Content.Length)];
        _contents = SearchValues.Create([.. _tokens.Select(token => token.Content)], StringComparison.Ordinal);
    }

    /// <summary>
    /// Lists the parts in order, each with its place in the text: an added token, or a text that is not empty. White space that a token
    /// swallows is in no part.
    /// </summary>
    public IEnumerable<(int Start, int Length, AddedToken? Added)> Split(string text)
    {
        var start = 0;
        while (start < text.Length)
        {
            var length = text.AsSpan(start).IndexOfAny(_contents);
            if (length != 0) yield return (start, length < 0 ? text.Length - start : length, null);
            if (length < 0) yield break;
            start += length;
            var added = At(text.AsSpan(start));
            yield return (start, added.Content.Length, added);
            start += added.Content.Length;
            // Unicode's White_Space property, as in the Rust tokenizers: U+0085 and U+00A0 count, U+200B and U+FEFF do not.
            while (added.Rstrip && start < text.Length && char.IsWhiteSpace(text[start])) start++;
        }
    }

    private AddedToken At(ReadOnlySpan<char> text)
    {
        foreach (var token in _tokens)
            if (text.StartsWith(token.Content)) return token;
        throw new InvalidOperationException("No added token is here.");
    }
}

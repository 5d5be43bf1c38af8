using System.Globalization;
using System.Text;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The tokenizer of a model folder: added tokens first, then <c>▁</c> for spaces and one in front of every piece of text between added tokens,
/// then byte pair encoding with byte fallback. Safe for concurrent use.
/// </summary>
public sealed class Tokenizer
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "tokenizer.json";

    private const char Space = '▁';
    private readonly BytePairEncoder _encoder;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly string?[] _tokens;
    private readonly bool[] _special;
    private readonly AddedTokenSplitter _splitter;
    private readonly bool _wordsAreIndependent;

    private Tokenizer(ReadOnlyMemory<byte> json, string source)
    {
        Json = json;
        var file = TokenizerFile.Parse(json, source);
        foreach (var (token, id) in file.Vocabulary) _ids[token] = id;
        foreach (var added in file.Added) _ids[added.Content] = added.Id;
        if (_ids.Values.Any(id => id is < 0 or > 10_000_000)) throw new InvalidDataException($"'{source}' has token ids out of range.");
        VocabularySize = _ids.Values.Max() + 1;
        _tokens = new string?[VocabularySize];
        foreach (var (token, id) in _ids) _tokens[id] = token;
        _special = new bool[VocabularySize];
        foreach (var added in file.Added) _special[added.Id] = added.Special;
        _splitter = new AddedTokenSplitter(file.Added);
        _encoder = new BytePairEncoder(file.Vocabulary, file.Merges);
        // No piece holds a space after another character, so that no merge crosses a word's beginning.
        _wordsAreIndependent = !file.Vocabulary.Keys.Any(piece => piece.TrimStart(Space).Contains(Space));
    }

    /// <summary>One more than the largest id.</summary>
    public int VocabularySize { get; }

    /// <summary>The tokenizer.json that this tokenizer was made from.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>Id of <see cref="SpecialTokens.BeginOfText"/>.</summary>
    public int BeginOfText => Id(SpecialTokens.BeginOfText);

    /// <summary>Reads <c>tokenizer.json</c> of a model folder.</summary>
    /// <exception cref="InvalidDataException">The file is not there or is not of the kind that Phi-3-Vision uses.</exception>
    public static Tokenizer Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InvalidDataException($"'{folder}' is not a model folder: it has no {FileName}.");
        return new Tokenizer(File.ReadAllBytes(path), path);
    }

    /// <summary>Makes a tokenizer from the text of a tokenizer.json, such as <see cref="TokenizerTrainer.Train"/> gives.</summary>
    /// <exception cref="InvalidDataException">It is not of the kind that Phi-3-Vision uses.</exception>
    public static Tokenizer Parse(string json) => new(Encoding.UTF8.GetBytes(json), FileName);

    /// <summary>The id of a token.</summary>
    /// <exception cref="ArgumentException">There is no such token.</exception>
    public int Id(string token) =>
        _ids.TryGetValue(token, out var id) ? id : throw new ArgumentException($"The tokenizer has no token '{token}'.", nameof(token));

    /// <summary>The token of an id; null for an id without one.</summary>
    public string? Token(int id) => id >= 0 && id < _tokens.Length ? _tokens[id] : null;

    /// <summary>The ids of a text.</summary>
    /// <param name="addBos">Begin with <see cref="SpecialTokens.BeginOfText"/>.</param>
    public int[] Encode(string text, bool addBos = true)
    {
        var ids = new List<int>(text.Length / 3 + 2);
        if (addBos) ids.Add(BeginOfText);
        foreach (var (segment, added) in _splitter.Split(text))
        {
            if (added is not null) ids.Add(added.Id);
            else EncodeSegment(segment, ids);
        }
        return [.. ids];
    }

    /// <summary>The text of ids. Ids without a token are left out; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="skipSpecial">Leave special tokens out.</param>
    public string Decode(IEnumerable<int> ids, bool skipSpecial = true)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (Token(id) is not { } token || (skipSpecial && _special[id])) continue;
            if (ByteOf(token) is { } b)
            {
                bytes.Add(b);
                continue;
            }
            Flush(bytes, text);
            text.Append(token).Replace(Space, ' ', text.Length - token.Length, token.Length);
        }
        Flush(bytes, text);
        return text.Length > 0 && text[0] == ' ' ? text.ToString(1, text.Length - 1) : text.ToString();
    }

    private void EncodeSegment(string segment, List<int> ids)
    {
        var text = Space + segment.Replace(' ', Space);
        if (!_wordsAreIndependent)
        {
            _encoder.Encode(text, ids);
            return;
        }
        var start = 0;
        for (var i = 1; i <= text.Length; i++)
        {
            if (i < text.Length && (text[i] != Space || text[i - 1] == Space)) continue;
            _encoder.Encode(text[start..i], ids);
            start = i;
        }
    }

    private static byte? ByteOf(string token) =>
        token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b) ? b : null;

    private static void Flush(List<byte> bytes, StringBuilder text)
    {
        if (bytes.Count == 0) return;
        var run = bytes.ToArray();
        bytes.Clear();
        try
        {
            text.Append(StrictUtf8.GetString(run));
        }
        catch (DecoderFallbackException)
        {
            text.Append('\uFFFD', run.Length);
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}

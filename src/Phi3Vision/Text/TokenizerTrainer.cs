using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Phi3Vision.Text;

/// <summary>
/// Trains a small tokenizer of the published kind: byte-fallback BPE, <c>▁</c> for spaces, the same added tokens. Digits and punctuation
/// are never merged, so that every number is spelled digit by digit. Equal texts give equal tokenizers.
/// </summary>
public static partial class TokenizerTrainer
{
    private const string Space = "▁";

    // Needed to spell prices and words that the texts lack.
    private const string AlwaysKnown = "▁0123456789.,:-";

    /// <summary>Trains on texts and returns the tokenizer.json.</summary>
    /// <param name="texts">Questions and answers, the texts to tokenize later. Characters that they lack are spelled as bytes.</param>
    /// <param name="vocabularySize">
    /// Maximum number of tokens, added ones included; the result has fewer when the texts have no more pairs to merge. At least
    /// <see cref="SpecialTokens.SmallestVocabulary"/> plus the distinct characters of the texts.
    /// </param>
    /// <exception cref="ArgumentException">The vocabulary is too small for the characters of the texts.</exception>
    public static string Train(IEnumerable<string> texts, int vocabularySize)
    {
        var words = CountWords(texts);
        var vocabulary = new List<string> { SpecialTokens.Unknown, SpecialTokens.BeginOfText, SpecialTokens.EndOfSequence };
        vocabulary.AddRange(Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"));
        vocabulary.AddRange(words.SelectMany(word => word.Symbols)
            .Concat(AlwaysKnown.Select(c => c.ToString())).Distinct().Order(StringComparer.Ordinal));
        var room = vocabularySize - SpecialTokens.Added.Count;
        if (vocabulary.Count > room)
        {
            throw new ArgumentException(
                $"The texts need a vocabulary of at least {vocabulary.Count + SpecialTokens.Added.Count} tokens.", nameof(vocabularySize));
        }

        var known = vocabulary.ToHashSet(StringComparer.Ordinal);
        var merges = new List<(string Left, string Right)>();
        while (vocabulary.Count < room && MostFrequentPair(words) is { } pair)
        {
            foreach (var word in words) word.Merge(pair);
            merges.Add(pair);
            if (known.Add(pair.Left + pair.Right)) vocabulary.Add(pair.Left + pair.Right);
        }
        return TokenizerWriter.Write(vocabulary, merges);
    }

    private static List<Word> CountWords(IEnumerable<string> texts)
    {
        var specials = new AddedTokenSplitter(
            SpecialTokens.Added.Select(token => new AddedToken(0, token, SpecialTokens.SwallowsFollowingSpace(token), true)));
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            foreach (var (start, length, added) in specials.Split(text))
            {
                if (added is null)
                {
                    foreach (Match word in MergeableRun().Matches(Space + text.Substring(start, length).Replace(" ", Space)))
                        counts[word.Value] = counts.GetValueOrDefault(word.Value) + 1;
                }
            }
        }
        return [.. counts.Select(pair => new Word(pair.Key, pair.Value))];
    }

    private static (string Left, string Right)? MostFrequentPair(List<Word> words)
    {
        var counts = new Dictionary<(string Left, string Right), long>();
        foreach (var word in words)
        {
            for (var i = 0; i + 1 < word.Symbols.Count; i++)
            {
                var pair = (word.Symbols[i], word.Symbols[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + word.Count;
            }
        }
        return counts.Count == 0
            ? null
            : counts.OrderByDescending(p => p.Value)
                .ThenBy(p => p.Key.Left, StringComparer.Ordinal).ThenBy(p => p.Key.Right, StringComparer.Ordinal).First().Key;
    }

    // Runs of letters with the space before them; any other character alone. Control characters are left to the byte tokens.
    [GeneratedRegex(@"▁?[\p{L}\p{M}]+|▁|[^▁\p{L}\p{M}\p{C}]", RegexOptions.CultureInvariant)]
    private static partial Regex MergeableRun();

    /// <summary>A word with its number of occurrences, as the symbols merged so far.</summary>
    private sealed class Word(string text, int count)
    {
        public List<string> Symbols { get; private set; } = [.. text.EnumerateRunes().Select(rune => rune.ToString())];

        public int Count { get; } = count;

        public void Merge((string Left, string Right) pair)
        {
            if (!Symbols.Contains(pair.Left)) return;
            var merged = new List<string>(Symbols.Count);
            for (var i = 0; i < Symbols.Count; i++)
            {
                if (i + 1 < Symbols.Count && Symbols[i] == pair.Left && Symbols[i + 1] == pair.Right) merged.Add(Symbols[i] + Symbols[++i]);
                else merged.Add(Symbols[i]);
            }
            Symbols = merged;
        }
    }
}

/// <summary>Writes a tokenizer.json of the published kind.</summary>
internal static class TokenizerWriter
{
    // The default encoder would write ▁ and the brackets of <|end|> as \uXXXX.
    private static readonly JsonSerializerOptions Json =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="vocabulary">Pieces in the order of their ids, with unknown, begin, end and bytes.</param>
    /// <param name="merges">Merges by rank, the first to apply first.</param>
    public static string Write(IReadOnlyList<string> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
    {
        var added = new JsonArray();
        for (var id = 0; id < SpecialTokens.FirstByte; id++) added.Add(Added(vocabulary[id], id));
        foreach (var (token, id) in SpecialTokens.Added.Select((token, i) => (token, vocabulary.Count + i))) added.Add(Added(token, id));
        var ids = new JsonObject();
        for (var id = 0; id < vocabulary.Count; id++) ids[vocabulary[id]] = id;
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = JsonNode.Parse("""
                {"type":"Sequence",
                 "normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
                """),
            ["pre_tokenizer"] = null,
            ["post_processor"] = JsonNode.Parse("""
                {"type":"TemplateProcessing",
                 "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
                 "pair":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                         {"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
                 "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}
                """),
            ["decoder"] = JsonNode.Parse("""
                {"type":"Sequence",
                 "decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
                             {"type":"Strip","content":" ","start":1,"stop":0}]}
                """),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = SpecialTokens.Unknown,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["ignore_merges"] = false,
                ["vocab"] = ids,
                ["merges"] = new JsonArray([.. merges.Select(merge => JsonValue.Create($"{merge.Left} {merge.Right}"))]),
            },
        }.ToJsonString(Json);
    }

    private static JsonObject Added(string token, int id) => new()
    {
        ["id"] = id,
        ["content"] = token,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = SpecialTokens.SwallowsFollowingSpace(token),
        ["normalized"] = false,
        // As published: all but </s>, which a text without special tokens keeps.
        ["special"] = token != SpecialTokens.EndOfSequence,
    };
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Encodes a text word by word and caches words, where a word is the text between two places that no merge can span. The time is
/// proportional to the text's length. Safe for concurrent use.
/// </summary>
internal sealed class WordEncoder(BytePairEncoder encoder, CharacterPairs pairs)
{
    private readonly WordCache _cache = new();

    /// <summary>Encodes a normalised text and appends the ids to a list.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> ids)
    {
        var start = 0;
        var hash = 0u;
        for (var i = 0; i < text.Length; i++)
        {
            hash = (hash ^ text[i]) * 0x9E3779B1u;
            if (i + 1 < text.Length && pairs.MayJoin(text[i], text[i + 1])) continue;
            EncodeWord(text[start..(i + 1)], hash ^ hash >> 16, ids);
            (start, hash) = (i + 1, 0);
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, uint hash, List<int> ids)
    {
        if (word.Length > WordCache.LongestWord)
        {
            ids.AddRange(encoder.Encode(word).AsSpan());
            return;
        }
        var known = _cache.Find(word, hash);
        if (known is null) _cache.Add(word, hash, known = encoder.Encode(word));
        ids.AddRange(known.AsSpan());
    }
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Cuts a text into added tokens and the text between them.</summary>
internal sealed class AddedTokenSplitter(IEnumerable<AddedToken> tokens)
{
    // The longest first, in case one token begins like another.
    private readonly Dictionary<char, AddedToken[]> _byFirstCharacter =
        tokens.GroupBy(token => token.Content[0]).ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());

    /// <summary>The parts in order: an added token, or a text that is not empty.</summary>
    public IEnumerable<(string Segment, AddedToken? Added)> Split(string text)
    {
        var start = 0;
        for (var i = 0; i < text.Length;)
        {
            var added = At(text, i);
            if (added is null)
            {
                i++;
                continue;
            }
            if (i > start) yield return (text[start..i], null);
            yield return ("", added);
            i += added.Content.Length;
            if (added.Rstrip)
                while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
            start = i;
        }
        if (start < text.Length) yield return (text[start..], null);
    }

    private AddedToken? At(string text, int index)
    {
        if (!_byFirstCharacter.TryGetValue(text[index], out var candidates)) return null;
        foreach (var candidate in candidates)
            if (string.CompareOrdinal(text, index, candidate.Content, 0, candidate.Content.Length) == 0) return candidate;
        return null;
    }
}

using System.Buffers;

namespace FunctionsPipeline.Phi3Vision;

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
            if (added.Rstrip)
                while (start < text.Length && char.IsWhiteSpace(text[start])) start++;
        }
    }

    private AddedToken At(ReadOnlySpan<char> text)
    {
        foreach (var token in _tokens)
            if (text.StartsWith(token.Content)) return token;
        throw new InvalidOperationException("No added token is here.");
    }
}

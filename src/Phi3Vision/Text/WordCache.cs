namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Remembers the ids of words. A word has one place, and a later word takes it over: so the cache is bounded, and entries that never change
/// make it safe for concurrent use without a lock.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Characters of a word that is remembered, at most; longer ones seldom come again.</summary>
    public const int LongestWord = 32;

    private const int Places = 1 << 16;
    private readonly Entry?[] _entries = new Entry?[Places];

    /// <summary>The ids of a word; null when it is not known.</summary>
    /// <param name="hash">The same for the same word.</param>
    public int[]? Find(ReadOnlySpan<char> word, uint hash) =>
        Volatile.Read(ref Place(hash)) is { } entry && word.SequenceEqual(entry.Word) ? entry.Ids : null;

    public void Add(ReadOnlySpan<char> word, uint hash, int[] ids) => Volatile.Write(ref Place(hash), new Entry(word.ToString(), ids));

    private ref Entry? Place(uint hash) => ref _entries[hash % Places];

    private sealed record Entry(string Word, int[] Ids);
}

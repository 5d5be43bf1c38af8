namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Caches the ids of words. Each word has one slot, which a later word overwrites, so that the cache is bounded. Entries are immutable and
/// replaced as one reference, which makes the cache safe for concurrent use without a lock.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Maximum length of a cached word in characters; longer ones seldom recur.</summary>
    public const int LongestWord = 32;

    private const int Places = 1 << 16;
    private readonly Entry?[] _entries = new Entry?[Places];

    /// <summary>Returns the ids of a word; null when the word is not cached.</summary>
    /// <param name="hash">Hash of the word.</param>
    public int[]? Find(ReadOnlySpan<char> word, uint hash) =>
        Volatile.Read(ref Place(hash)) is { } entry && word.SequenceEqual(entry.Word) ? entry.Ids : null;

    public void Add(ReadOnlySpan<char> word, uint hash, int[] ids) => Volatile.Write(ref Place(hash), new Entry(word.ToString(), ids));

    private ref Entry? Place(uint hash) => ref _entries[hash % Places];

    private sealed record Entry(string Word, int[] Ids);
}

using System.Buffers;
using System.Numerics;
using System.Text;

namespace FunctionsPipeline.Phi3Vision.Text;

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
            // FNV-1a with 2³² divided by the golden ratio as the factor: high bits mix well, and the fold below brings them down.
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

/// <summary>
/// Set of adjacent character pairs in the pieces of a vocabulary. No merge can span a pair that no piece has, so that a text may be cut
/// there without changing its tokens. In the published vocabulary every space has such a cut before it, among other places. The set is a
/// bit table indexed by a hash of the pair.
/// </summary>
internal sealed class CharacterPairs
{
    private const int HashBits = 18;

    // 64 pairs to a word: the upper bits of a pair's hash select the word, the lower six the bit (a shift counts modulo 64).
    private readonly ulong[] _bits = new ulong[1 << (HashBits - 6)];

    public CharacterPairs(IEnumerable<string> pieces)
    {
        foreach (var piece in pieces)
        {
            for (var i = 1; i < piece.Length; i++)
            {
                var bit = Bit(piece[i - 1], piece[i]);
                _bits[bit >> 6] |= 1ul << (int)bit;
            }
        }
    }

    /// <summary>True when a piece may contain both characters in sequence. A hash collision only loses a cut.</summary>
    public bool MayJoin(char left, char right)
    {
        var bit = Bit(left, right);
        // Never cut between the halves of a surrogate pair, which are one character.
        return (_bits[bit >> 6] >> (int)bit & 1) != 0 || char.IsLowSurrogate(right);
    }

    // Fibonacci hashing: the top bits of the product with 2³² divided by the golden ratio.
    private static uint Bit(char left, char right) => (((uint)left << 16 | right) * 0x9E3779B1u) >> (32 - HashBits);
}

/// <summary>
/// Caches the ids of words. Each word has one slot, which a later word overwrites, so that the cache is bounded. Entries are immutable and
/// replaced as one reference, which makes the cache safe for concurrent use without a lock.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Maximum length of a cached word in characters; longer ones seldom recur.</summary>
    public const int LongestWord = 32;

    // At worst 65,536 words of 32 characters, each of three bytes with an id each: about 35 MB.
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

/// <summary>
/// Byte pair encoding: merges the pair of lowest rank, the leftmost on ties; spells characters that the vocabulary lacks as bytes. Pairs
/// are in a heap and symbols in a linked list, so that a word of n characters takes O(n log n) time. Safe for concurrent use.
/// </summary>
internal sealed class BytePairEncoder
{
    private readonly Dictionary<Rune, int> _characters = [];
    private readonly MergeTable _merges;

    /// <param name="merges">Merges by rank, the first to apply first.</param>
    /// <exception cref="InvalidDataException">A merge names a piece that the vocabulary lacks.</exception>
    public BytePairEncoder(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
    {
        _merges = new MergeTable(vocabulary, merges);
        foreach (var (piece, id) in vocabulary)
        {
            if (Rune.DecodeFromUtf16(piece, out var rune, out var length) == OperationStatus.Done && length == piece.Length)
                _characters[rune] = id;
        }
    }

    /// <summary>Encodes a word.</summary>
    public int[] Encode(ReadOnlySpan<char> word)
    {
        // A UTF-16 unit takes at most three UTF-8 bytes. The queue takes one entry per adjacent pair, and two more per merge.
        var symbols = ArrayPool<Symbol>.Shared.Rent(checked(word.Length * 3));
        var count = Spell(word, symbols);
        var waiting = ArrayPool<ulong>.Shared.Rent(checked(count * 3));
        var left = Merge(symbols.AsSpan(0, count), new MergeQueue(waiting));
        var ids = new int[left];
        for (int i = 0, at = 0; i < left; at = symbols[at].Next) ids[i++] = symbols[at].Id;
        ArrayPool<Symbol>.Shared.Return(symbols);
        ArrayPool<ulong>.Shared.Return(waiting);
        return ids;
    }

    private int Spell(ReadOnlySpan<char> word, Span<Symbol> symbols)
    {
        var count = 0;
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            if (_characters.TryGetValue(rune, out var id))
            {
                symbols[count++].Id = id;
                continue;
            }
            foreach (var b in utf8[..rune.EncodeToUtf8(utf8)]) symbols[count++].Id = SpecialTokens.FirstByte + b;
        }
        return count;
    }

    /// <returns>Number of symbols left: the first and those linked to it.</returns>
    private int Merge(Span<Symbol> symbols, MergeQueue queue)
    {
        for (var i = 0; i < symbols.Length; i++)
        {
            symbols[i].Previous = i - 1;
            symbols[i].Next = i + 1 < symbols.Length ? i + 1 : -1;
            Offer(symbols, ref queue, i);
        }
        var count = symbols.Length;
        while (queue.TryTake(out var rank, out var at))
        {
            ref var left = ref symbols[at];
            // A queued merge is stale when one of its symbols has been merged since. Ranks are unique to a pair, so that comparing them is
            // enough.
            if (left.Rank != rank) continue;
            ref var right = ref symbols[left.Next];
            left.Id = _merges.Merged(rank);
            left.Next = right.Next;
            right.Rank = -1;
            if (left.Next >= 0) symbols[left.Next].Previous = at;
            if (left.Previous >= 0) Offer(symbols, ref queue, left.Previous);
            Offer(symbols, ref queue, at);
            count--;
        }
        return count;
    }

    private void Offer(Span<Symbol> symbols, ref MergeQueue queue, int at)
    {
        ref var left = ref symbols[at];
        left.Rank = left.Next < 0 ? -1 : _merges.Rank(left.Id, symbols[left.Next].Id);
        if (left.Rank >= 0) queue.Add(left.Rank, at);
    }

    /// <summary>A symbol of the word, linked to its neighbours.</summary>
    private struct Symbol
    {
        public int Id;
        public int Previous;
        public int Next;

        /// <summary>Rank of the merge with the next symbol; -1 when they do not merge.</summary>
        public int Rank;
    }
}

/// <summary>
/// Maps a pair of adjacent pieces to the rank and the result of its merge. An open-addressing hash table, at most half full.
/// </summary>
internal sealed class MergeTable
{
    // No pair has all bits set, as ids are 0 or above.
    private const ulong Free = ulong.MaxValue;
    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _merged;
    private readonly int _shift;

    /// <param name="vocabulary">Pieces and their ids, 0 or above.</param>
    /// <param name="merges">Merges by rank, the first to apply first.</param>
    /// <exception cref="InvalidDataException">A merge names a piece that the vocabulary lacks.</exception>
    public MergeTable(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
    {
        // The table has 2^bits slots, more than twice as many as merges.
        var bits = BitOperations.Log2((uint)merges.Count | 1) + 2;
        _shift = 64 - bits;
        _pairs = new ulong[1 << bits];
        _pairs.AsSpan().Fill(Free);
        _ranks = new int[_pairs.Length];
        _merged = new int[merges.Count];
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right) = merges[rank];
            if (!vocabulary.TryGetValue(left, out var l) || !vocabulary.TryGetValue(right, out var r)
                || !vocabulary.TryGetValue(left + right, out _merged[rank]))
            {
                throw new InvalidDataException($"The vocabulary lacks '{left}', '{right}' or '{left + right}' of merge {rank}.");
            }
            var place = Place(Pair(l, r));
            if (_pairs[place] == Free) (_pairs[place], _ranks[place]) = (Pair(l, r), rank);
        }
    }

    /// <summary>Returns the rank of the merge of two pieces, 0 the first to apply; -1 when they do not merge.</summary>
    public int Rank(int left, int right)
    {
        var place = Place(Pair(left, right));
        return _pairs[place] == Free ? -1 : _ranks[place];
    }

    /// <summary>Returns the id of the piece that the merge of a rank produces.</summary>
    public int Merged(int rank) => _merged[rank];

    private static ulong Pair(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    /// <summary>Returns the slot of a pair, or the free slot where it belongs (linear probing).</summary>
    private int Place(ulong pair)
    {
        // Fibonacci hashing: the top bits of the product with 2⁶⁴ divided by the golden ratio.
        var place = (int)(pair * 0x9E3779B97F4A7C15ul >> _shift);
        while (_pairs[place] != pair && _pairs[place] != Free) place = (place + 1) & (_pairs.Length - 1);
        return place;
    }
}

/// <summary>
/// Priority queue of merges by rank, then position: a binary heap of rank · 2^32 + position in the caller's buffer, which must be large
/// enough.
/// </summary>
internal ref struct MergeQueue(Span<ulong> buffer)
{
    private readonly Span<ulong> _heap = buffer;
    private int _count;

    public void Add(int rank, int position)
    {
        var item = (ulong)rank << 32 | (uint)position;
        var at = _count++;
        for (; at > 0 && _heap[(at - 1) / 2] > item; at = (at - 1) / 2) _heap[at] = _heap[(at - 1) / 2];
        _heap[at] = item;
    }

    public bool TryTake(out int rank, out int position)
    {
        (rank, position) = (0, 0);
        if (_count == 0) return false;
        (rank, position) = ((int)(_heap[0] >> 32), (int)(uint)_heap[0]);
        var item = _heap[--_count];
        var at = 0;
        for (var child = 1; child < _count; child = at * 2 + 1)
        {
            if (child + 1 < _count && _heap[child + 1] < _heap[child]) child++;
            if (_heap[child] >= item) break;
            _heap[at] = _heap[child];
            at = child;
        }
        _heap[at] = item;
        return true;
    }
}

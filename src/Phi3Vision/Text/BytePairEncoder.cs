using System.Buffers;
using System.Text;

namespace FunctionsPipeline.Phi3Vision;

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
            if (Rune.DecodeFromUtf16(piece, out var rune, out var length) == OperationStatus.Done && length == piece.Length)
                _characters[rune] = id;
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

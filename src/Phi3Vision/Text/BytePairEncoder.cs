namespace FunctionsPipeline.Phi3Vision;

/// <summary>Byte pair encoding of one word: lowest rank first, leftmost on ties, bytes for characters that the vocabulary lacks.</summary>
internal sealed class BytePairEncoder
{
    private readonly IReadOnlyDictionary<string, int> _vocabulary;
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> _merges;

    /// <exception cref="InvalidDataException">A merge names a piece that the vocabulary lacks.</exception>
    public BytePairEncoder(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
    {
        _vocabulary = vocabulary;
        _merges = new(merges.Count);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right) = merges[rank];
            if (!vocabulary.TryGetValue(left, out var l) || !vocabulary.TryGetValue(right, out var r) || !vocabulary.TryGetValue(left + right, out var merged))
                throw new InvalidDataException($"The vocabulary lacks '{left}', '{right}' or '{left + right}' of merge {rank}.");
            _merges.TryAdd((l, r), (rank, merged));
        }
    }

    /// <summary>Appends the ids of a word.</summary>
    public void Encode(string word, List<int> ids)
    {
        var symbols = Symbols(word);
        if (symbols.Count > 1) Merge(symbols);
        foreach (var symbol in symbols)
            if (symbol.Id >= 0) ids.Add(symbol.Id);
    }

    private List<Symbol> Symbols(string word)
    {
        var symbols = new List<Symbol>(word.Length);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            if (_vocabulary.TryGetValue(rune.ToString(), out var id))
            {
                Add(symbols, id);
                continue;
            }
            var length = rune.EncodeToUtf8(utf8);
            foreach (var b in utf8[..length]) Add(symbols, SpecialTokens.FirstByte + b);
        }
        symbols[^1].Next = -1;
        return symbols;
    }

    private static void Add(List<Symbol> symbols, int id) =>
        symbols.Add(new Symbol { Id = id, Previous = symbols.Count - 1, Next = symbols.Count + 1 });

    private void Merge(List<Symbol> symbols)
    {
        var queue = new PriorityQueue<(int Left, int LeftId, int RightId, int Merged), (int Rank, int Left)>();
        for (var i = 0; i + 1 < symbols.Count; i++) Offer(symbols, queue, i);
        while (queue.TryDequeue(out var pair, out _))
        {
            var left = symbols[pair.Left];
            // An entry is stale when one of its symbols has been merged since.
            if (left.Id != pair.LeftId || left.Next < 0 || symbols[left.Next].Id != pair.RightId) continue;
            var right = symbols[left.Next];
            left.Id = pair.Merged;
            right.Id = -1;
            left.Next = right.Next;
            if (right.Next >= 0) symbols[right.Next].Previous = pair.Left;
            if (left.Previous >= 0) Offer(symbols, queue, left.Previous);
            Offer(symbols, queue, pair.Left);
        }
    }

    private void Offer(List<Symbol> symbols, PriorityQueue<(int, int, int, int), (int, int)> queue, int left)
    {
        var right = symbols[left].Next;
        if (right >= 0 && _merges.TryGetValue((symbols[left].Id, symbols[right].Id), out var merge))
            queue.Enqueue((left, symbols[left].Id, symbols[right].Id, merge.Merged), (merge.Rank, left));
    }

    /// <summary>A piece of the word, linked to its neighbours; <see cref="Id"/> is -1 once it is part of the piece before it.</summary>
    private sealed class Symbol
    {
        public int Id { get; set; }

        public int Previous { get; set; }

        public int Next { get; set; }
    }
}

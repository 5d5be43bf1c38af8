using System.Numerics;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Maps a pair of adjacent pieces to the rank and the result of its merge. An open-addressing hash table, at most half full.
/// </summary>
internal sealed class MergeTable
{
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
                throw new InvalidDataException($"The vocabulary lacks '{left}', '{right}' or '{left + right}' of merge {rank}.");
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
        var place = (int)(pair * 0x9E3779B97F4A7C15ul >> _shift);
        while (_pairs[place] != pair && _pairs[place] != Free) place = (place + 1) & (_pairs.Length - 1);
        return place;
    }
}

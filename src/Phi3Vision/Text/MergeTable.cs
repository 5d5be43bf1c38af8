using System.Numerics;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>What every pair of adjacent pieces becomes, and how urgently. An open hash table at most half full.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;
    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _merged;
    private readonly int _shift;

    /// <param name="vocabulary">Pieces and their ids, which are not negative.</param>
    /// <param name="merges">The most urgent first.</param>
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

    /// <summary>The rank of the merge of two pieces, 0 the most urgent; -1 when they do not merge.</summary>
    public int Rank(int left, int right)
    {
        var place = Place(Pair(left, right));
        return _pairs[place] == Free ? -1 : _ranks[place];
    }

    /// <summary>The piece that the merge of a rank makes.</summary>
    public int Merged(int rank) => _merged[rank];

    private static ulong Pair(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    /// <summary>Where the pair is, or where it would be.</summary>
    private int Place(ulong pair)
    {
        var place = (int)(pair * 0x9E3779B97F4A7C15ul >> _shift);
        while (_pairs[place] != pair && _pairs[place] != Free) place = (place + 1) & (_pairs.Length - 1);
        return place;
    }
}

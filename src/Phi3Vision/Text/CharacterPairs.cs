namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Set of adjacent character pairs in the pieces of a vocabulary. No merge can span a pair that no piece has, so that a text may be cut
/// there without changing its tokens. In the published vocabulary every space has such a cut before it, among other places. The set is a
/// bit table indexed by a hash of the pair.
/// </summary>
internal sealed class CharacterPairs
{
    private const int HashBits = 18;
    private readonly ulong[] _bits = new ulong[1 << (HashBits - 6)];

    public CharacterPairs(IEnumerable<string> pieces)
    {
        foreach (var piece in pieces)
            for (var i = 1; i < piece.Length; i++)
            {
                var bit = Bit(piece[i - 1], piece[i]);
                _bits[bit >> 6] |= 1ul << (int)bit;
            }
    }

    /// <summary>True when a piece may contain both characters in sequence. A hash collision only loses a cut.</summary>
    public bool MayJoin(char left, char right)
    {
        var bit = Bit(left, right);
        // Never cut between the halves of a surrogate pair, which are one character.
        return (_bits[bit >> 6] >> (int)bit & 1) != 0 || char.IsLowSurrogate(right);
    }

    private static uint Bit(char left, char right) => (((uint)left << 16 | right) * 0x9E3779B1u) >> (32 - HashBits);
}

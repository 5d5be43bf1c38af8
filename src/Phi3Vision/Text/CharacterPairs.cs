namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Which characters stand next to each other in some piece of a vocabulary. Between two that never do no merge can happen, so that a text
/// may be cut there without changing its tokens. In the published vocabulary that is in front of every space, among other places.
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

    /// <summary>Whether a piece may hold both. Some pairs that no piece has look as if: that only makes a cut less.</summary>
    public bool MayJoin(char left, char right)
    {
        var bit = Bit(left, right);
        // The halves of a surrogate pair are one character.
        return (_bits[bit >> 6] >> (int)bit & 1) != 0 || char.IsLowSurrogate(right);
    }

    private static uint Bit(char left, char right) => (((uint)left << 16 | right) * 0x9E3779B1u) >> (32 - HashBits);
}

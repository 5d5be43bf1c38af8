namespace Parquet.Columns;

/// <summary>The LZ4 block format: literals, and copies of what was unpacked before.</summary>
internal static class Lz4Block
{
    private const int ShortestMatch = 4;

    /// <summary>Fills all of <paramref name="page"/>.</summary>
    /// <exception cref="InvalidDataException">The block is damaged or of another size.</exception>
    public static void Decode(ReadOnlySpan<byte> block, Span<byte> page)
    {
        var (at, to) = (0, 0);
        while (at < block.Length)
        {
            var token = block[at++];
            var literals = Length(block, ref at, token >> 4);
            if (literals > block.Length - at || literals > page.Length - to) throw Damaged();
            block.Slice(at, literals).CopyTo(page[to..]);
            (at, to) = (at + literals, to + literals);
            // The last sequence is literals only.
            if (at == block.Length) break;
            if (at + 2 > block.Length) throw Damaged();
            var offset = block[at] | (block[at + 1] << 8);
            at += 2;
            var match = Length(block, ref at, token & 15) + ShortestMatch;
            if (offset == 0 || offset > to || match > page.Length - to) throw Damaged();
            // A match may overlap what it writes, and repeats it then.
            for (var i = 0; i < match; i++, to++) page[to] = page[to - offset];
        }
        if (to != page.Length) throw Damaged();
    }

    private static int Length(ReadOnlySpan<byte> block, ref int at, int nibble)
    {
        long length = nibble;
        for (var more = nibble == 15; more;)
        {
            if (at >= block.Length) throw Damaged();
            more = block[at] == 255;
            length += block[at++];
        }
        return length <= int.MaxValue - ShortestMatch ? (int)length : throw Damaged();
    }

    private static InvalidDataException Damaged() => new("an LZ4 block is damaged");
}

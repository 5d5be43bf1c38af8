namespace Parquet.Columns;

/// <summary>Integers as their differences (DELTA_BINARY_PACKED): blocks of a smallest difference and miniblocks packed above it.</summary>
internal static class DeltaDecoder
{
    /// <summary>All values of a page, or of one part of it.</summary>
    /// <param name="page">Begins with the header of the encoding.</param>
    /// <param name="count">How many values there must be.</param>
    /// <param name="length">Bytes that they take.</param>
    /// <exception cref="InvalidDataException">The bytes hold another number of values.</exception>
    public static long[] Decode(ReadOnlySpan<byte> page, int count, out int length)
    {
        length = 0;
        if (count == 0 && page.IsEmpty) return [];
        var at = 0;
        var (block, miniblocks, total) = (Varint(page, ref at), Varint(page, ref at), Varint(page, ref at));
        if (total != (ulong)count) throw new InvalidDataException($"its differences are of {total} values instead of {count}");
        if (miniblocks is 0 or > 1024 || block % miniblocks != 0 || block / miniblocks is 0 or > 1 << 20)
            throw new InvalidDataException($"its differences are in blocks of {block} in {miniblocks} parts");
        var values = new long[count];
        var value = Signed(page, ref at);
        if (count > 0) values[0] = value;
        var perMiniblock = (int)(block / miniblocks);
        for (var done = 1; done < count;)
        {
            var smallest = Signed(page, ref at);
            var widths = page.Slice(at, (int)miniblocks);
            at += widths.Length;
            for (var i = 0; i < widths.Length && done < count; i++)
            {
                var size = perMiniblock * widths[i] / 8;
                if (widths[i] > 64 || size > page.Length - at) throw new InvalidDataException("its differences end too early");
                var packed = page.Slice(at, size);
                at += size;
                for (var j = 0; j < perMiniblock && done < count; j++)
                {
                    value += smallest + (long)Bits(packed, j * widths[i], widths[i]);
                    values[done++] = value;
                }
            }
        }
        length = at;
        return values;
    }

    private static ulong Bits(ReadOnlySpan<byte> bytes, int bit, int width)
    {
        UInt128 word = 0;
        for (var i = (bit + width + 7) / 8 - 1; i >= bit / 8; i--) word = (word << 8) | bytes[i];
        return (ulong)(word >> (bit % 8)) & (width == 64 ? ulong.MaxValue : (1UL << width) - 1);
    }

    private static long Signed(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = Varint(bytes, ref at);
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (at >= bytes.Length) throw new InvalidDataException("its differences end too early");
            value |= (ulong)(bytes[at] & 0x7F) << shift;
            if (bytes[at++] < 0x80) return value;
        }
        throw new InvalidDataException("a difference is longer than 64 bits");
    }
}

namespace Parquet.Columns;

/// <summary>The hybrid of run lengths and bit packing that levels and dictionary indexes are written in.</summary>
internal static class RunLengths
{
    /// <summary>Fills all of <paramref name="values"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes hold fewer values.</exception>
    public static void Decode(ReadOnlySpan<byte> bytes, int bitWidth, Span<int> values)
    {
        if (bitWidth is < 0 or > 32) throw new InvalidDataException($"a run has values of {bitWidth} bits");
        if (bitWidth == 0)
        {
            values.Clear();
            return;
        }
        var at = 0;
        for (var done = 0; done < values.Length;)
        {
            var header = ReadVarint(bytes, ref at);
            var rest = values[done..];
            if ((header & 1) == 0)
            {
                var run = rest[..(int)Math.Min(header >> 1, (uint)rest.Length)];
                if (run.IsEmpty) throw new InvalidDataException("a run is empty");
                run.Fill(ReadBits(bytes[at..], 0, bitWidth));
                at += (bitWidth + 7) / 8;
                done += run.Length;
            }
            else
            {
                var groups = (long)(header >> 1);
                var run = rest[..(int)Math.Min(groups * 8, rest.Length)];
                if (run.IsEmpty) throw new InvalidDataException("a run is empty");
                Unpack(bytes[at..], bitWidth, run);
                // The last group may be cut off where its values are.
                at = (int)Math.Min(at + (groups * bitWidth), bytes.Length);
                done += run.Length;
            }
        }
    }

    /// <summary>Writes runs of equal values; meant for levels, which change seldom.</summary>
    public static byte[] Encode(ReadOnlySpan<int> values, int bitWidth)
    {
        var output = new MemoryStream();
        for (var at = 0; at < values.Length;)
        {
            var length = values[at..].IndexOfAnyExcept(values[at]);
            if (length < 0) length = values.Length - at;
            for (var header = (uint)length << 1; ; header >>= 7)
            {
                output.WriteByte((byte)(header < 0x80 ? header : header | 0x80));
                if (header < 0x80) break;
            }
            for (var shift = 0; shift < bitWidth; shift += 8) output.WriteByte((byte)(values[at] >> shift));
            at += length;
        }
        return output.ToArray();
    }

    private static void Unpack(ReadOnlySpan<byte> bytes, int bitWidth, Span<int> values)
    {
        if ((long)values.Length * bitWidth > bytes.Length * 8L) throw new InvalidDataException("a run ends too early");
        for (var i = 0; i < values.Length; i++) values[i] = ReadBits(bytes, (long)i * bitWidth, bitWidth);
    }

    private static int ReadBits(ReadOnlySpan<byte> bytes, long bit, int bitWidth)
    {
        ulong word = 0;
        var first = (int)(bit / 8);
        var last = (int)((bit + bitWidth - 1) / 8);
        if (last >= bytes.Length) throw new InvalidDataException("a run ends too early");
        for (var i = last; i >= first; i--) word = (word << 8) | bytes[i];
        return (int)((word >> (int)(bit % 8)) & ((1UL << bitWidth) - 1));
    }

    private static uint ReadVarint(ReadOnlySpan<byte> bytes, ref int at)
    {
        uint value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            if (at >= bytes.Length) throw new InvalidDataException("runs end too early");
            var next = bytes[at++];
            value |= (uint)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }
        throw new InvalidDataException("a run length is over 32 bits");
    }
}

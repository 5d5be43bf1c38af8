namespace SixLabors.ImageSharp.Formats.Gif;

/// <summary>The variable-length codes of GIF (GIF89a specification, appendix F).</summary>
internal static class LzwDecoder
{
    private const int MaximumBits = 12;
    private const int Codes = 1 << MaximumBits;

    /// <summary>Unpacks colour indices; what damaged or missing codes leave open stays as it is, as in the package.</summary>
    public static void Decode(ReadOnlySpan<byte> data, int minimumCodeSize, Span<byte> indices)
    {
        if (minimumCodeSize is < 2 or >= MaximumBits) return;
        var (prefix, suffix, length) = (new short[Codes], new byte[Codes], new int[Codes]);
        var clear = 1 << minimumCodeSize;
        for (var i = 0; i < clear; i++) (suffix[i], length[i]) = ((byte)i, 1);
        var (next, bits, previous) = (clear + 2, minimumCodeSize + 1, -1);
        uint window = 0;
        for (int at = 0, loaded = 0, written = 0; written < indices.Length;)
        {
            for (; loaded < bits; loaded += 8)
            {
                if (at == data.Length) return;
                window |= (uint)data[at++] << loaded;
            }
            var code = (int)(window & ((1u << bits) - 1));
            window >>= bits;
            loaded -= bits;
            if (code == clear)
            {
                (next, bits, previous) = (clear + 2, minimumCodeSize + 1, -1);
                continue;
            }
            if (code == clear + 1 || code > next || (previous < 0 && code > clear)) return;
            if (previous >= 0 && next < Codes)
            {
                // A code that is just being defined begins, and so ends, with the first index of the one before it.
                prefix[next] = (short)previous;
                length[next] = length[previous] + 1;
                suffix[next] = First(code == next ? previous : code, prefix, suffix, length);
                next++;
                if (next == 1 << bits && bits < MaximumBits) bits++;
            }
            else if (code >= next)
            {
                return;
            }
            written += Write(code, prefix, suffix, length[code], indices[written..]);
            previous = code;
        }
    }

    private static byte First(int code, short[] prefix, byte[] suffix, int[] length)
    {
        while (length[code] > 1) code = prefix[code];
        return suffix[code];
    }

    private static int Write(int code, short[] prefix, byte[] suffix, int length, Span<byte> target)
    {
        for (var i = length - 1; i >= 0; i--, code = prefix[code])
            if (i < target.Length) target[i] = suffix[code];
        return Math.Min(length, target.Length);
    }
}

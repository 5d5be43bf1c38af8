namespace FunctionsPipeline.Images;

/// <summary>A frame of a GIF.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Codes">Where in the file its pixels begin: a byte for the size of codes, then sub-blocks.</param>
internal readonly record struct GifFrame(int Width, int Height, int Codes)
{
    private const int MaximumBits = 12;

    /// <summary>
    /// How many pixels the codes do not yield. Decoders paint what damaged codes leave open in the first colour and say nothing. Only the
    /// lengths of the strings that codes stand for are followed, so it costs no memory for pixels, and time by the bytes only.
    /// </summary>
    /// <remarks>GIF89a specification, appendix F.</remarks>
    public long MissingPixels(ReadOnlySpan<byte> file)
    {
        long missing = (long)Width * Height;
        int minimum = file[Codes];
        if (minimum is < 2 or >= MaximumBits) return missing;
        var clear = 1 << minimum;
        var lengths = new int[1 << MaximumBits];
        Array.Fill(lengths, 1, 0, clear);
        var (next, bits, previous, window, loaded) = (clear + 2, minimum + 1, -1, 0u, 0);
        var (at, left) = (Codes + 1, 0);
        while (missing > 0)
        {
            for (; loaded < bits; loaded += 8)
            {
                if (left == 0 && (left = file[at++]) == 0) return missing;
                window |= (uint)file[at++] << loaded;
                left--;
            }
            var code = (int)(window & ((1u << bits) - 1));
            window >>= bits;
            loaded -= bits;
            if (code == clear)
            {
                (next, bits, previous) = (clear + 2, minimum + 1, -1);
                continue;
            }
            var isKnown = code < clear || (code > clear + 1 && code < next);
            var isBeingDefined = code == next && previous >= 0 && next < lengths.Length;
            if (!isKnown && !isBeingDefined) return missing;
            if (previous >= 0 && next < lengths.Length)
            {
                lengths[next++] = lengths[previous] + 1;
                if (next == 1 << bits && bits < MaximumBits) bits++;
            }
            missing -= lengths[code];
            previous = code;
        }
        return 0;
    }
}

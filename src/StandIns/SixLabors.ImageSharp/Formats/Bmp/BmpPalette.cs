using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>The colours of a bitmap, each three or four bytes from blue to red.</summary>
internal readonly ref struct BmpPalette
{
    private readonly ReadOnlySpan<byte> colours;
    private readonly int entry;

    private BmpPalette(ReadOnlySpan<byte> colours, int entry)
    {
        this.colours = colours;
        this.entry = entry;
    }

    /// <exception cref="InvalidImageContentException">It does not fit before the pixels.</exception>
    public static BmpPalette Read(BmpHeader header, ReadOnlySpan<byte> data)
    {
        const int unused = 4;
        // The room before the pixels tells whether there is an unused byte with each colour.
        var room = header.Pixels - header.Palette;
        var entry = header.Colours != 0 ? unused : (int)Math.Max(room / (1 << Math.Min(header.BitsPerPixel, 8)), 3);
        var length = header.Colours != 0 ? (long)header.Colours * unused : room;
        if (length < 0 || length > room || header.Palette + length > data.Length)
            throw new InvalidImageContentException("The BMP's palette does not fit before its pixels.");
        return new BmpPalette(data.Slice(header.Palette, (int)length), entry);
    }

    /// <summary>The colour of an index; black for -1, a pixel that run lengths passed over.</summary>
    public Rgb24 Colour(int index)
    {
        if (index < 0) return default;
        var at = index * entry;
        if (at + 3 > colours.Length) throw new ImageFormatException($"The BMP has no colour {index}.");
        return new Rgb24(colours[at + 2], colours[at + 1], colours[at]);
    }

    /// <summary>Draws a row of indices of 1, 2, 4 or 8 bits, the first in the highest bits.</summary>
    public void Draw<TPixel>(ReadOnlySpan<byte> source, int bits, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var x = 0; x < row.Length; x++)
        {
            var bit = x * bits;
            row[x].FromRgb24(Colour((source[bit / 8] >> (8 - bits - (bit % 8))) & ((1 << bits) - 1)));
        }
    }
}

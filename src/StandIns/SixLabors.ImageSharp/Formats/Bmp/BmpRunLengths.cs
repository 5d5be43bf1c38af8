namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>The run lengths of 4- and 8-bit bitmaps (BI_RLE4 and BI_RLE8).</summary>
internal static class BmpRunLengths
{
    private const byte Escape = 0;
    private const byte EndOfLine = 0;
    private const byte EndOfBitmap = 1;
    private const byte Move = 2;

    /// <summary>Unpacks colour indices in the order of storage; -1 where a pixel is passed over.</summary>
    /// <exception cref="InvalidImageContentException">The data end too early or lead out of the picture.</exception>
    public static void Unpack(ReadOnlySpan<byte> data, BmpHeader header, Span<short> indices)
    {
        indices.Fill(-1);
        var perByte = header.Compression == BmpCompression.RunLength4 ? 2 : 1;
        for (int at = 0, written = 0; written < indices.Length;)
        {
            var (count, value) = (Byte(data, at), Byte(data, at + 1));
            at += 2;
            if (count != Escape)
            {
                for (var i = 0; i < count; i++) Put(indices, written++, Index(value, i, perByte));
                continue;
            }
            switch (value)
            {
                case EndOfBitmap:
                    return;
                case EndOfLine:
                    written += (header.Width - (written % header.Width)) % header.Width;
                    break;
                case Move:
                    written += Byte(data, at) + (Byte(data, at + 1) * header.Width);
                    at += 2;
                    break;
                default:
                    for (var i = 0; i < value; i++) Put(indices, written++, Index(Byte(data, at + (i / perByte)), i, perByte));
                    // Values that are no run are filled up to whole words.
                    at += ((value + perByte - 1) / perByte + 1) / 2 * 2;
                    break;
            }
        }
    }

    private static short Index(byte value, int i, int perByte) => (short)(perByte == 1 ? value : i % 2 == 0 ? value >> 4 : value & 0xF);

    private static byte Byte(ReadOnlySpan<byte> data, int at) =>
        at < data.Length ? data[at] : throw new InvalidImageContentException("The BMP ends within its run lengths.");

    private static void Put(Span<short> indices, int at, short index)
    {
        if (at >= indices.Length) throw new InvalidImageContentException("The BMP's run lengths lead out of the picture.");
        indices[at] = index;
    }
}

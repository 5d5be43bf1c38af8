using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>Checks a PNG chunk by chunk and keeps those that make the pixels. Gamma and colour profile go, because ImageSharp does
/// not apply them either; text goes, because it may unpack to any size.</summary>
internal static class PngChunks
{
    private const int Overhead = 12;

    // Deflate packs at most 1032 bytes into one.
    private const long MaximumRatio = 1032;

    private static readonly byte[] End = [0, 0, 0, 0, (byte)'I', (byte)'E', (byte)'N', (byte)'D', 0xAE, 0x42, 0x60, 0x82];

    /// <exception cref="InvalidImageContentException">The PNG is cut short or cannot hold as many pixels as it claims.</exception>
    public static (byte[] Data, bool Alpha) Select(ReadOnlySpan<byte> data, ImageHeader header)
    {
        var kept = new MemoryStream(data.Length + Overhead);
        kept.Write(data[..PngHeader.SignatureLength]);
        var alpha = PngHeader.ColorType(data) is PngColor.GreyAlpha or PngColor.Rgba;
        long packed = 0;
        for (var at = PngHeader.SignatureLength; at < data.Length;)
        {
            if (at + Overhead > data.Length) throw CutShort("a chunk header");
            var length = BinaryPrimitives.ReadUInt32BigEndian(data[at..]);
            var name = data.Slice(at + 4, 4);
            if (name.SequenceEqual("IEND"u8)) break;
            if (length > data.Length - at - Overhead) throw CutShort($"chunk {System.Text.Encoding.Latin1.GetString(name)}");
            var chunk = data.Slice(at, (int)length + Overhead);
            at += chunk.Length;
            if (name.SequenceEqual("tRNS"u8)) alpha = true;
            if (name.SequenceEqual("IDAT"u8)) packed += length;
            // An upper-case first letter marks a chunk that a decoder must understand.
            if (char.IsAsciiLetterUpper((char)name[0]) || name.SequenceEqual("tRNS"u8)) kept.Write(chunk);
        }
        kept.Write(End);
        var unpacked = (((long)header.Width * header.BitsPerPixel) + 7) / 8 * header.Height;
        if (packed * MaximumRatio < unpacked)
            throw new InvalidImageContentException(
                $"The PNG is cut short: {packed} bytes of image data cannot hold {header.Width} x {header.Height} pixels.");
        return (kept.ToArray(), alpha);
    }

    private static InvalidImageContentException CutShort(string what) => new($"The PNG is cut short: it ends within {what}.");
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>The chunks of a PNG that make its pixels. Gamma and colour profile are left, because ImageSharp does not apply them either.</summary>
internal sealed record PngContent
{
    private const int Overhead = 12;

    // Deflate packs at most 1032 bytes into one.
    private const long MaximumRatio = 1032;

    /// <summary>What the IDAT chunks hold together.</summary>
    public required MemoryStream Pixels { get; init; }

    public required Rgb24[] Palette { get; init; }

    /// <summary>The content of tRNS: the alpha of the palette's first colours, or the one colour that is transparent.</summary>
    public required byte[] Transparency { get; init; }

    /// <exception cref="InvalidImageContentException">The PNG is cut short, damaged, or cannot hold as many pixels as it claims.</exception>
    public static PngContent Read(ReadOnlySpan<byte> data, PngHeader header)
    {
        var pixels = new MemoryStream();
        var (palette, transparency, end) = (Array.Empty<Rgb24>(), Array.Empty<byte>(), false);
        for (var at = PngHeader.SignatureLength; at < data.Length && !end;)
        {
            if (at + Overhead > data.Length) throw CutShort("a chunk header");
            var length = BinaryPrimitives.ReadUInt32BigEndian(data[at..]);
            var name = Encoding.Latin1.GetString(data.Slice(at + 4, 4));
            if (length > data.Length - at - Overhead) throw CutShort($"chunk {name}");
            var chunk = data.Slice(at + 4, (int)length + 4);
            // An upper-case first letter marks a chunk that a decoder must understand, and that must be whole.
            if (char.IsAsciiLetterUpper(name[0]) && PngChecksum.Of(chunk) != BinaryPrimitives.ReadUInt32BigEndian(data[(at + 8 + (int)length)..]))
                throw new InvalidImageContentException($"The PNG is damaged: the checksum of chunk {name} is wrong.");
            switch (name)
            {
                case "IHDR" when at != PngHeader.SignatureLength:
                    throw new InvalidImageContentException("The PNG has two headers.");
                case "PLTE":
                    palette = MemoryMarshal.Cast<byte, Rgb24>(chunk[4..]).ToArray();
                    break;
                case "tRNS":
                    transparency = chunk[4..].ToArray();
                    break;
                case "IDAT":
                    pixels.Write(chunk[4..]);
                    break;
                case "IEND":
                    end = true;
                    break;
            }
            at += Overhead + (int)length;
        }
        if (!end) throw CutShort("its pixels");
        var unpacked = (((long)header.Width * header.BitsPerPixel) + 7) / 8 * header.Height;
        if (pixels.Length * MaximumRatio < unpacked)
            throw new InvalidImageContentException(
                $"The PNG is cut short: {pixels.Length} bytes of image data cannot hold {header.Width} x {header.Height} pixels.");
        pixels.Position = 0;
        return new PngContent { Pixels = pixels, Palette = palette, Transparency = transparency };
    }

    private static InvalidImageContentException CutShort(string what) => new($"The PNG is cut short: it ends within {what}.");
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Gif;

/// <summary>The blocks of a GIF up to its first frame (GIF89a specification).</summary>
internal ref struct GifBlocks
{
    private const byte Trailer = 0x3B;
    private const byte Extension = 0x21;
    private const byte GraphicControl = 0xF9;
    private const byte Frame = 0x2C;

    private readonly ReadOnlySpan<byte> data;
    private int position = GifHeader.Length;

    private GifBlocks(ReadOnlySpan<byte> data) => this.data = data;

    /// <summary>Finds the first frame.</summary>
    /// <exception cref="InvalidImageContentException">There is none, or it is cut short.</exception>
    public static GifFrame FirstFrame(ReadOnlySpan<byte> data)
    {
        var blocks = new GifBlocks(data);
        if (data.Length < GifHeader.Length) throw CutShort();
        var globalColours = blocks.ColourTable(data[10]);
        int? transparent = null;
        while (blocks.position < data.Length)
        {
            switch (data[blocks.position++])
            {
                case Trailer:
                    throw new InvalidImageContentException("The GIF has no frame.");
                case Extension:
                    if (blocks.Take(1)[0] == GraphicControl) transparent = blocks.TransparentIndex();
                    else _ = blocks.SubBlocks();
                    break;
                case Frame:
                    return blocks.ReadFrame(globalColours, background: data[11], transparent);
            }
        }
        throw CutShort();
    }

    private GifFrame ReadFrame(ReadOnlySpan<Rgb24> globalColours, byte background, int? transparent)
    {
        var descriptor = Take(9);
        int Field(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);
        var area = new Rectangle(Field(descriptor, 0), Field(descriptor, 2), Field(descriptor, 4), Field(descriptor, 6));
        if (area.Width == 0 || area.Height == 0) throw new InvalidImageContentException("The GIF's first frame has no pixels.");
        const int interlace = 0x40, local = 0x80;
        var flags = descriptor[8];
        var colours = (flags & local) != 0 ? ColourTable(flags) : globalColours;
        var minimumCodeSize = Take(1)[0];
        return new GifFrame
        {
            Area = area,
            Interlaced = (flags & interlace) != 0,
            Colours = colours,
            Transparent = transparent,
            Background = background,
            MinimumCodeSize = minimumCodeSize,
            Codes = SubBlocks(),
        };
    }

    private int? TransparentIndex()
    {
        var control = Take(6);
        return (control[1] & 1) != 0 ? control[4] : null;
    }

    private ReadOnlySpan<Rgb24> ColourTable(byte flags)
    {
        const int present = 0x80, size = 7;
        return (flags & present) == 0 ? default : MemoryMarshal.Cast<byte, Rgb24>(Take(3 << ((flags & size) + 1)));
    }

    // What the sub-blocks hold, up to the empty one that ends them or the end of the file.
    private byte[] SubBlocks()
    {
        var content = new MemoryStream();
        while (position < data.Length && data[position++] is var length and not 0)
        {
            var part = data[position..Math.Min(position + length, data.Length)];
            content.Write(part);
            position += part.Length;
        }
        return content.ToArray();
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (position + count > data.Length) throw CutShort();
        position += count;
        return data.Slice(position - count, count);
    }

    private static InvalidImageContentException CutShort() => new("The GIF is cut short.");
}

using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>The IHDR chunk of a PNG (W3C PNG, 11.2.1).</summary>
internal sealed record PngHeader(int Width, int Height, int Depth, PngColor Color, bool Interlaced)
{
    public const int SignatureLength = 8;
    private const int Length = SignatureLength + 8 + 13;

    public int Channels => Color switch { PngColor.Rgb => 3, PngColor.Rgba => 4, PngColor.GreyAlpha => 2, _ => 1 };

    public int BitsPerPixel => Depth * Channels;

    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        if (data.Length < Length) return null;
        var header = Read(data);
        return new ImageHeader(PngFormat.Instance, header.Width, header.Height, header.BitsPerPixel);
    }

    /// <exception cref="InvalidImageContentException">There is no such chunk at the beginning, or no such kind of PNG.</exception>
    public static PngHeader Read(ReadOnlySpan<byte> data)
    {
        if (!data.Slice(SignatureLength + 4, 4).SequenceEqual("IHDR"u8))
            throw new InvalidImageContentException("The PNG does not begin with an IHDR chunk.");
        var chunk = data.Slice(SignatureLength + 8, 13);
        var (depth, color) = ((int)chunk[8], (PngColor)chunk[9]);
        var exists = color switch
        {
            PngColor.Grey => depth is 1 or 2 or 4 or 8 or 16,
            PngColor.Palette => depth is 1 or 2 or 4 or 8,
            PngColor.GreyAlpha or PngColor.Rgb or PngColor.Rgba => depth is 8 or 16,
            _ => false,
        };
        if (!exists) throw new InvalidImageContentException($"The PNG has the unknown colour type {chunk[9]} with {depth} bits.");
        return new PngHeader(
            BinaryPrimitives.ReadInt32BigEndian(chunk), BinaryPrimitives.ReadInt32BigEndian(chunk[4..]), depth, color, Interlaced: chunk[12] != 0);
    }
}

/// <summary>The colour types of PNG.</summary>
internal enum PngColor : byte
{
    Grey = 0,
    Rgb = 2,
    Palette = 3,
    GreyAlpha = 4,
    Rgba = 6,
}

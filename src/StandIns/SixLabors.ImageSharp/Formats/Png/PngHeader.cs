using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>The IHDR chunk of a PNG (W3C PNG, 11.2.1).</summary>
internal static class PngHeader
{
    public const int SignatureLength = 8;
    private const int Length = SignatureLength + 8 + 13;

    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        if (data.Length < Length) return null;
        if (!data.Slice(SignatureLength + 4, 4).SequenceEqual("IHDR"u8))
            throw new InvalidImageContentException("The PNG does not begin with an IHDR chunk.");
        var header = data[(SignatureLength + 8)..];
        return new ImageHeader(
            PngFormat.Instance,
            BinaryPrimitives.ReadInt32BigEndian(header),
            BinaryPrimitives.ReadInt32BigEndian(header[4..]),
            BitsPerPixel: header[8] * Channels((PngColor)header[9]));
    }

    public static PngColor ColorType(ReadOnlySpan<byte> data) => (PngColor)data[SignatureLength + 8 + 9];

    private static int Channels(PngColor color) => color switch
    {
        PngColor.Grey or PngColor.Palette => 1,
        PngColor.GreyAlpha => 2,
        PngColor.Rgb => 3,
        PngColor.Rgba => 4,
        _ => throw new InvalidImageContentException($"The PNG has the unknown colour type {(byte)color}."),
    };
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

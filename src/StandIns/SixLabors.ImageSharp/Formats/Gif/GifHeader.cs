using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Gif;

/// <summary>The logical screen descriptor of a GIF.</summary>
internal static class GifHeader
{
    public const int Length = 13;

    public static ImageHeader? TryRead(ReadOnlySpan<byte> data) => data.Length < 11 ? null : new ImageHeader(
        GifFormat.Instance,
        BinaryPrimitives.ReadUInt16LittleEndian(data[6..]),
        BinaryPrimitives.ReadUInt16LittleEndian(data[8..]),
        BitsPerPixel: (data[10] & 7) + 1);
}

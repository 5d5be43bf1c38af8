using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Webp;

/// <summary>The first chunk of a WebP: VP8 (RFC 6386), VP8L, or VP8X (RFC 9649).</summary>
internal static class WebpHeader
{
    /// <summary>The flag of VP8X that says that pixels may be transparent.</summary>
    public const byte Alpha = 0x10;

    private const int ChunkData = 20;

    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        if (data.Length < ChunkData + 10) return null;
        var chunk = data[ChunkData..];
        var name = data.Slice(12, 4);
        if (name.SequenceEqual("VP8X"u8))
            return Header(1 + UInt24(chunk[4..]), 1 + UInt24(chunk[7..]), alpha: (chunk[0] & Alpha) != 0);
        if (name.SequenceEqual("VP8L"u8) && chunk[0] == 0x2F)
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(chunk[1..]);
            return Header(1 + (int)(bits & 0x3FFF), 1 + (int)((bits >> 14) & 0x3FFF), alpha: (bits >> 28 & 1) != 0);
        }
        if (name.SequenceEqual("VP8 "u8) && chunk[3..].StartsWith<byte>([0x9D, 0x01, 0x2A]))
            return Header(
                BinaryPrimitives.ReadUInt16LittleEndian(chunk[6..]) & 0x3FFF,
                BinaryPrimitives.ReadUInt16LittleEndian(chunk[8..]) & 0x3FFF,
                alpha: false);
        throw new InvalidImageContentException("The WebP begins with none of the chunks VP8, VP8L and VP8X.");
    }

    /// <summary>Whether it is an animation, which libwebp's plain decoder refuses.</summary>
    public static bool IsAnimated(ReadOnlySpan<byte> data) => data.Slice(12, 4).SequenceEqual("VP8X"u8) && (data[ChunkData] & 0x02) != 0;

    /// <summary>The numbers of VP8X and of frames have three bytes.</summary>
    public static int UInt24(ReadOnlySpan<byte> data) => data[0] | data[1] << 8 | data[2] << 16;

    private static ImageHeader Header(int width, int height, bool alpha) => new(WebpFormat.Instance, width, height, alpha ? 32 : 24);
}

using System.Buffers.Binary;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Webp;

/// <summary>The first frame of an animation (RFC 9649, 2.7.1.1), as a WebP of its own that libwebp's plain decoder reads.</summary>
internal readonly ref struct WebpAnimation
{
    private const int FirstChunk = 12;
    private const int NameAndLength = 8;
    private const int FrameHeader = 16;

    /// <summary>What shows where the frame is not.</summary>
    public required Rgba32 Background { get; init; }

    /// <summary>Where the frame lies on the canvas.</summary>
    public required Rectangle Area { get; init; }

    /// <summary>The frame as a file.</summary>
    public required byte[] Frame { get; init; }

    /// <exception cref="InvalidImageContentException">There is no frame, or it is not within the canvas.</exception>
    public static WebpAnimation Read(ImageHeader header, ReadOnlySpan<byte> data)
    {
        Rgba32 background = default;
        for (long at = FirstChunk; at + NameAndLength <= data.Length;)
        {
            var name = data.Slice((int)at, 4);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(data[((int)at + 4)..]);
            if (length > data.Length - at - NameAndLength) throw new InvalidImageContentException("The WebP is cut short.");
            var content = data.Slice((int)at + NameAndLength, (int)length);
            if (name.SequenceEqual("ANIM"u8) && content is [var blue, var green, var red, var alpha, ..])
                background = new Rgba32(red, green, blue, alpha);
            if (name.SequenceEqual("ANMF"u8)) return ReadFrame(header, content, background);
            at += NameAndLength + length + (length & 1);
        }
        throw new InvalidImageContentException("The WebP animation has no frame.");
    }

    private static WebpAnimation ReadFrame(ImageHeader header, ReadOnlySpan<byte> content, Rgba32 background)
    {
        if (content.Length < FrameHeader) throw new InvalidImageContentException("The WebP has a frame without a header.");
        var area = new Rectangle(
            2 * WebpHeader.UInt24(content), 2 * WebpHeader.UInt24(content[3..]),
            1 + WebpHeader.UInt24(content[6..]), 1 + WebpHeader.UInt24(content[9..]));
        if (area.Right > header.Width || area.Bottom > header.Height)
            throw new InvalidImageContentException("The WebP has a frame outside its canvas.");
        var chunks = content[FrameHeader..];
        byte[] features = [.. "VP8X"u8, 10, 0, 0, 0, WebpHeader.Alpha, 0, 0, 0, .. content[6..12]];
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, 4 + features.Length + chunks.Length);
        return new WebpAnimation
        {
            Background = background,
            Area = area,
            Frame = [.. "RIFF"u8, .. length, .. "WEBP"u8, .. features, .. chunks],
        };
    }
}

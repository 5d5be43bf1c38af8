using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>The RIFF chunks of a WebP (RFC 9649, 2).</summary>
internal static class WebpLayout
{
    private const int FirstChunk = 12;
    private const int NameAndLength = 8;
    private const int Alpha = 0x10;

    public static ImageLayout Of(ReadOnlySpan<byte> file)
    {
        var end = NameAndLength + (long)BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        if (file.Length < end) return new ImageLayout(null);
        var (alpha, orientation) = (false, Orientation.TopLeft);
        for (long position = FirstChunk; position + NameAndLength <= end;)
        {
            var chunk = file[(int)position..(int)end];
            var length = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            var content = chunk[NameAndLength..(int)Math.Min(NameAndLength + (long)length, chunk.Length)];
            var name = chunk[..4];
            if (name.SequenceEqual("EXIF"u8)) orientation = Exif.ReadOrientation(content);
            // What a frame of an animation leaves free shows through; a lossless picture may have alpha without saying so in VP8X.
            alpha |= name.SequenceEqual("ANIM"u8) || name.SequenceEqual("VP8L"u8)
                || (name.SequenceEqual("VP8X"u8) && content is [var flags, ..] && (flags & Alpha) != 0);
            position += NameAndLength + length + (length & 1);
        }
        return new ImageLayout((int)end, alpha, orientation);
    }
}

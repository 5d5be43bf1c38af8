using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>The segments of a JPEG (ITU-T T.81, B.1).</summary>
internal static class JpegLayout
{
    private const byte EndOfImage = 0xD9;
    private const byte App1 = 0xE1;

    // Segments carry their length, scan data does not: within it 0xFF is followed by 0 or by a restart marker. An embedded thumbnail has
    // an end marker of its own, so searching for one from behind would not do.
    public static ImageLayout Of(ReadOnlySpan<byte> file)
    {
        Orientation? orientation = null;
        var position = 2;
        while (position < file.Length && file[position..].IndexOf((byte)0xFF) is var skipped and >= 0)
        {
            position += skipped;
            if (position + 1 >= file.Length) break;
            var marker = file[position + 1];
            if (marker == EndOfImage) return new ImageLayout(position + 2, Orientation: orientation ?? Orientation.TopLeft);
            if (marker is 0x00 or 0xFF or (>= 0xD0 and <= 0xD7))
            {
                position += marker == 0xFF ? 1 : 2;
                continue;
            }
            if (position + 4 > file.Length) break;
            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(position + 2)..]);
            var content = file[(position + 4)..Math.Clamp(position + 2 + length, position + 4, file.Length)];
            if (marker == App1 && content.StartsWith(Exif.Marker)) orientation ??= Exif.ReadOrientation(content);
            position += 2 + length;
        }
        return new ImageLayout(null);
    }
}

using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>The chunks of a PNG (W3C PNG, 5).</summary>
internal static class PngLayout
{
    private const int LengthTypeAndChecksum = 12;
    private const int ColourType = 25;

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageLayout Of(ReadOnlySpan<byte> file)
    {
        const int AlphaChannel = 4;
        var alpha = file.Length > ColourType && (file[ColourType] & AlphaChannel) != 0;
        var orientation = Orientation.TopLeft;
        for (long position = Signature.Length; position + LengthTypeAndChecksum <= file.Length;)
        {
            var chunk = file[(int)position..];
            var type = chunk[4..8];
            if (type.SequenceEqual("IEND"u8)) return new ImageLayout((int)position + LengthTypeAndChecksum, alpha, orientation);
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            alpha |= type.SequenceEqual("tRNS"u8);
            if (type.SequenceEqual("eXIf"u8)) orientation = Exif.ReadOrientation(chunk[8..(int)Math.Min(8L + length, chunk.Length)]);
            position += LengthTypeAndChecksum + length;
        }
        return new ImageLayout(null);
    }
}

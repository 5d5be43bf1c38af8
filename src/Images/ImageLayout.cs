using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>
/// How the file formats are laid out, as far as it takes to recognise them and to tell whether a file is whole. Decoders differ here: some
/// fill what is missing of a JPEG with grey and say nothing, and a model must not learn from, or be asked about, half a picture.
/// </summary>
internal static class ImageLayout
{
    private static ReadOnlySpan<byte> PngSignature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageFormat? Recognise(ReadOnlySpan<byte> file)
    {
        if (file is [0xFF, 0xD8, 0xFF, ..]) return ImageFormat.Jpeg;
        if (file.StartsWith(PngSignature)) return ImageFormat.Png;
        if (file.Length >= 12 && file[..4].SequenceEqual("RIFF"u8) && file[8..12].SequenceEqual("WEBP"u8)) return ImageFormat.Webp;
        return null;
    }

    /// <summary>Whether the file reaches the end that its own structure announces; bytes after that do not matter.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> file, ImageFormat format) => format switch
    {
        ImageFormat.Jpeg => JpegReachesItsEnd(file),
        ImageFormat.Png => PngReachesItsEnd(file),
        _ => file.Length >= 8L + BinaryPrimitives.ReadUInt32LittleEndian(file[4..]),
    };

    // Segments carry their length, scan data does not: within it 0xFF is followed by 0 or by a restart marker. An embedded thumbnail has
    // an end marker of its own, so searching for one from behind would not do.
    private static bool JpegReachesItsEnd(ReadOnlySpan<byte> file)
    {
        const byte EndOfImage = 0xD9;
        var position = 2;
        while (position < file.Length && file[position..].IndexOf((byte)0xFF) is var skipped and >= 0)
        {
            position += skipped;
            if (position + 1 >= file.Length) return false;
            var marker = file[position + 1];
            if (marker == EndOfImage) return true;
            if (marker is 0x00 or 0xFF or (>= 0xD0 and <= 0xD7)) position += marker == 0xFF ? 1 : 2;
            else if (position + 4 <= file.Length) position += 2 + BinaryPrimitives.ReadUInt16BigEndian(file[(position + 2)..]);
            else return false;
        }
        return false;
    }

    private static bool PngReachesItsEnd(ReadOnlySpan<byte> file)
    {
        const int LengthTypeAndChecksum = 12;
        long position = PngSignature.Length;
        while (position + LengthTypeAndChecksum <= file.Length)
        {
            var chunk = file[(int)position..];
            if (chunk[4..8].SequenceEqual("IEND"u8)) return true;
            position += LengthTypeAndChecksum + BinaryPrimitives.ReadUInt32BigEndian(chunk);
        }
        return false;
    }
}

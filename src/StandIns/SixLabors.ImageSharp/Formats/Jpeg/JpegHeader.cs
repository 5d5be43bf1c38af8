using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Jpeg;

/// <summary>Walks JPEG segments up to the frame header (ITU-T T.81, B.1 and B.2.2).</summary>
internal static class JpegHeader
{
    private const byte App1 = 0xE1;

    /// <returns>Null when the bytes end before the frame header.</returns>
    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        byte[]? exif = null;
        for (var at = 2; ;)
        {
            // Stray bytes between segments occur in the wild; decoders skip them.
            var skip = at < data.Length ? data[at..].IndexOf((byte)0xFF) : -1;
            if (skip < 0) return null;
            at += skip;
            while (at < data.Length && data[at] == 0xFF) at++;
            if (at >= data.Length) return null;
            var marker = data[at++];
            if (marker is 0x00 or 0x01 or (>= 0xD0 and <= 0xD8)) continue;
            if (marker is 0xD9 or 0xDA) throw new InvalidImageContentException("The JPEG has no frame header before its first scan.");
            if (at + 2 > data.Length) return null;
            var length = BinaryPrimitives.ReadUInt16BigEndian(data[at..]);
            if (length < 2) throw new InvalidImageContentException($"The JPEG segment 0x{marker:X2} has the impossible length {length}.");
            if (at + length > data.Length) return null;
            var segment = data.Slice(at + 2, length - 2);
            at += length;
            if (marker == App1 && exif is null && segment.StartsWith("Exif\0\0"u8)) exif = segment[6..].ToArray();
            if (IsFrame(marker)) return Frame(segment) with { Exif = exif };
        }
    }

    /// <summary>Where the first scan begins, after the headers; -1 if there is none.</summary>
    public static int ScanStart(ReadOnlySpan<byte> data)
    {
        for (var at = 2; at + 4 <= data.Length;)
        {
            var marker = data[at] == 0xFF ? data[at + 1] : (byte)0;
            if (marker == 0xDA) return at;
            var segment = marker is not (0x00 or 0x01 or 0xFF or (>= 0xD0 and <= 0xD9));
            at += segment ? 2 + BinaryPrimitives.ReadUInt16BigEndian(data[(at + 2)..]) : 1;
        }
        return -1;
    }

    private static bool IsFrame(byte marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    private static ImageHeader Frame(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 6) throw new InvalidImageContentException("The JPEG frame header is too short.");
        return new ImageHeader(
            JpegFormat.Instance,
            Width: BinaryPrimitives.ReadUInt16BigEndian(segment[3..]),
            Height: BinaryPrimitives.ReadUInt16BigEndian(segment[1..]),
            BitsPerPixel: segment[0] * segment[5]);
    }
}

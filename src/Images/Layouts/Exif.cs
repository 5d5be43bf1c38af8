using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>How a picture is turned: which of its sides the first row and the first column are (EXIF 2.32, 4.6.4, tag 274).</summary>
internal enum Orientation
{
    TopLeft = 1,
    TopRight,
    BottomRight,
    BottomLeft,
    LeftTop,
    RightTop,
    RightBottom,
    LeftBottom,
}

/// <summary>The one entry of EXIF metadata that changes how a picture looks.</summary>
internal static class Exif
{
    private const int OrientationTag = 0x0112;
    private const int ShortType = 3;
    private const int EntryLength = 12;

    /// <summary>What a JPEG, and some a WebP, has before the metadata.</summary>
    public static ReadOnlySpan<byte> Marker => "Exif\0\0"u8;

    /// <summary>Reads the first directory of the TIFF structure. Damaged metadata does not make a picture unreadable: it is shown as it
    /// is stored, as a browser does.</summary>
    public static Orientation ReadOrientation(ReadOnlySpan<byte> metadata)
    {
        var tiff = metadata.StartsWith(Marker) ? metadata[Marker.Length..] : metadata;
        var little = tiff.StartsWith("II"u8);
        if (tiff.Length < 8 || !(little || tiff.StartsWith("MM"u8))) return Orientation.TopLeft;
        long directory = UInt32(tiff[4..], little);
        if (directory + 2 > tiff.Length) return Orientation.TopLeft;
        var entries = tiff[(int)directory..];
        var count = UInt16(entries, little);
        for (int i = 0, at = 2; i < count && at + EntryLength <= entries.Length; i++, at += EntryLength)
        {
            var entry = entries.Slice(at, EntryLength);
            if (UInt16(entry, little) != OrientationTag || UInt16(entry[2..], little) != ShortType) continue;
            return (Orientation)UInt16(entry[8..], little) is var value && Enum.IsDefined(value) ? value : Orientation.TopLeft;
        }
        return Orientation.TopLeft;
    }

    private static ushort UInt16(ReadOnlySpan<byte> data, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(data) : BinaryPrimitives.ReadUInt16BigEndian(data);

    private static uint UInt32(ReadOnlySpan<byte> data, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(data) : BinaryPrimitives.ReadUInt32BigEndian(data);
}

using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>The information header of a bitmap: the 12-byte OS/2 one, or any of the later ones.</summary>
internal static class BmpHeader
{
    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        const int fileHeader = 14;
        if (data.Length < fileHeader + 16) return null;
        var info = data[fileHeader..];
        var size = BinaryPrimitives.ReadUInt32LittleEndian(info);
        if (size == 12)
            return new ImageHeader(
                BmpFormat.Instance,
                BinaryPrimitives.ReadUInt16LittleEndian(info[4..]),
                BinaryPrimitives.ReadUInt16LittleEndian(info[6..]),
                BinaryPrimitives.ReadUInt16LittleEndian(info[10..]));
        if (size < 16) throw new InvalidImageContentException($"The BMP information header says it is {size} bytes long.");
        var height = BinaryPrimitives.ReadInt32LittleEndian(info[8..]);
        return new ImageHeader(
            BmpFormat.Instance,
            BinaryPrimitives.ReadInt32LittleEndian(info[4..]),
            // A negative height means rows from the top.
            height == int.MinValue ? 0 : Math.Abs(height),
            BinaryPrimitives.ReadUInt16LittleEndian(info[14..]));
    }
}

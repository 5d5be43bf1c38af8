using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>The headers of a Windows bitmap: BITMAPFILEHEADER, then BITMAPCOREHEADER or one of BITMAPINFOHEADER and its successors.</summary>
internal static class BmpLayout
{
    private const int FileHeader = 14;
    private const int CoreHeader = 12;
    private const int V3Header = 40;
    private const int V3WithAlphaMask = 56;

    /// <summary>"BM" alone also begins ordinary text, so the length of the second header counts too.</summary>
    public static bool Recognise(ReadOnlySpan<byte> file) =>
        file.Length >= FileHeader + 4 && file.StartsWith("BM"u8) && UInt32(file, FileHeader) is CoreHeader or 16 or V3Header or 52
            or V3WithAlphaMask or 64 or 108 or 124;

    public static ImageLayout Of(ReadOnlySpan<byte> file)
    {
        var headerLength = (int)UInt32(file, FileHeader);
        if (file.Length < FileHeader + headerLength) return new ImageLayout(null);
        var info = file.Slice(FileHeader, headerLength);
        var core = headerLength == CoreHeader;
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(info[(core ? 10 : 14)..]);
        long width = core ? BinaryPrimitives.ReadUInt16LittleEndian(info[4..]) : BinaryPrimitives.ReadInt32LittleEndian(info[4..]);
        long height = core ? BinaryPrimitives.ReadUInt16LittleEndian(info[6..]) : BinaryPrimitives.ReadInt32LittleEndian(info[8..]);
        var full = headerLength >= V3Header;
        var rowBytes = ((width * bits) + 31) / 32 * 4;
        // The length of packed pixels does not follow from the picture's size.
        var pixels = full && !IsUnpacked(UInt32(info, 16)) ? UInt32(info, 20) : rowBytes * Math.Abs(height);
        var colours = full ? UInt32(info, 32) * 4L : 0;
        var whole = UInt32(file, 10) + Math.Max(pixels, 0) <= file.Length && colours <= file.Length && ProfileIsWithin(file, info);
        var alpha = bits == 32 && (headerLength == V3Header || (headerLength >= V3WithAlphaMask && UInt32(info, 52) != 0));
        return new ImageLayout(whole ? file.Length : null, alpha);
    }

    /// <summary>A colour profile, which only the longest header can have, lies behind the header.</summary>
    private static bool ProfileIsWithin(ReadOnlySpan<byte> file, ReadOnlySpan<byte> info)
    {
        const int V5Header = 124;
        return info.Length < V5Header || FileHeader + (long)UInt32(info, 112) + UInt32(info, 116) <= file.Length;
    }

    private static bool IsUnpacked(uint compression)
    {
        const uint None = 0, BitFields = 3, AlphaBitFields = 6;
        return compression is None or BitFields or AlphaBitFields;
    }

    private static uint UInt32(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(data[offset..]);
}

using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>The file header and the information header of a bitmap: the 12-byte OS/2 one, or any of the later ones.</summary>
internal sealed record BmpHeader
{
    private const int FileHeaderLength = 14;
    private const int CoreLength = 12;
    private const int LongestLength = 124;

    /// <summary>Bytes of the information header; it tells the kind, too.</summary>
    public required int Length { get; init; }

    public required int Width { get; init; }

    public required int Height { get; init; }

    /// <summary>Whether the first row is the top one.</summary>
    public required bool FromTop { get; init; }

    public required int BitsPerPixel { get; init; }

    public required BmpCompression Compression { get; init; }

    /// <summary>Colours of the palette; 0: as many as there is room for.</summary>
    public required int Colours { get; init; }

    /// <summary>Which bits of a pixel are red, green, blue and alpha.</summary>
    public required (uint Red, uint Green, uint Blue, uint Alpha) Masks { get; init; }

    /// <summary>Where the pixels begin in the file.</summary>
    public required long Pixels { get; init; }

    /// <summary>Where the palette begins in the file.</summary>
    public int Palette => FileHeaderLength + Length + MasksBehind;

    // BITMAPINFOHEADER has no room for the masks, so they follow it.
    private int MasksBehind => Length != 40 ? 0 : Compression switch { BmpCompression.BitFields => 12, BmpCompression.AlphaBitFields => 16, _ => 0 };

    public static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        if (data.Length < FileHeaderLength + 16) return null;
        var header = Read(data);
        return new ImageHeader(BmpFormat.Instance, header.Width, header.Height, header.BitsPerPixel);
    }

    /// <summary>Reads the header; fields beyond the end of the data are 0.</summary>
    /// <exception cref="NotSupportedException">It is of no known length.</exception>
    public static BmpHeader Read(ReadOnlySpan<byte> data)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(data[FileHeaderLength..]);
        if (length is not (CoreLength or 16 or 40 or 52 or 56 or 64 or 108 or (> 108 and <= LongestLength)))
            throw new NotSupportedException($"This BMP is not supported: its information header has {length} bytes.");
        Span<byte> known = stackalloc byte[LongestLength];
        data[FileHeaderLength..Math.Min(data.Length, FileHeaderLength + LongestLength)].CopyTo(known);
        var info = known;
        int Int(Span<byte> bytes, int offset, int from = 16) => length < from ? 0 : BinaryPrimitives.ReadInt32LittleEndian(bytes[offset..]);
        int Short(Span<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);
        var height = length == CoreLength ? Short(info, 6) : Int(info, 8);
        var compression = (BmpCompression)Int(info, 16, from: 40);
        var masks = compression switch
        {
            BmpCompression.BitFields or BmpCompression.AlphaBitFields => (
                (uint)Int(info, 40), (uint)Int(info, 44), (uint)Int(info, 48),
                length >= 56 || compression == BmpCompression.AlphaBitFields ? (uint)Int(info, 52) : 0),
            _ => (0x7C00u, 0x3E0u, 0x1Fu, 0u),
        };
        return new BmpHeader
        {
            Length = length,
            Width = length == CoreLength ? Short(info, 4) : Int(info, 4),
            Height = height == int.MinValue ? 0 : Math.Abs(height),
            FromTop = height < 0,
            BitsPerPixel = Short(info, length == CoreLength ? 10 : 14),
            Compression = compression,
            Colours = Int(info, 32, from: 40),
            Masks = masks,
            Pixels = BinaryPrimitives.ReadUInt32LittleEndian(data[10..]),
        };
    }
}

/// <summary>How the pixels of a bitmap are packed.</summary>
internal enum BmpCompression
{
    None = 0,
    RunLength8 = 1,
    RunLength4 = 2,
    BitFields = 3,
    AlphaBitFields = 6,
}

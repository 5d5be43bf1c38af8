using System.Buffers.Binary;
using System.IO.Hashing;
using Parquet.Meta;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Validates the pages of a column chunk before any is decoded: sizes, number of values, checksums where the writer gave them, that no page
/// claims more memory than its bytes can decompress to (decompression bombs), and that no page has an encoding that Parquet.Net misreads.
/// </summary>
internal sealed class ColumnChunkCheck
{
    // Maximum compression ratio of DEFLATE (gzip); LZ4 and Snappy stay below it. Zstandard and Brotli may exceed it and are limited by the
    // size in the footer instead.
    private const int Ratio = 1032;
    private const int Slack = 64;

    private readonly List<(int End, PageHeader Header)> _pages = [];

    private ColumnChunkCheck()
    {
    }

    /// <summary>Validates pages until all values of the chunk are accounted for.</summary>
    /// <param name="chunk">The bytes of the chunk.</param>
    /// <param name="column">Metadata of the column chunk, from the footer.</param>
    /// <exception cref="InvalidDataException">A page is damaged; the message begins with its number.</exception>
    public static ColumnChunkCheck Run(ReadOnlySpan<byte> chunk, ColumnMetaData column)
    {
        var check = new ColumnChunkCheck();
        var at = 0;
        for (long values = 0; values < column.NumValues;)
        {
            var number = check._pages.Count;
            PageHeader page;
            try
            {
                page = PageHeader.Read(chunk[at..]);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"page {number}: its header cannot be read: {e.Message}", e);
            }
            at += page.Length;
            if (page.CompressedSize > chunk.Length - at)
                throw Damage(number, page, $"its {page.CompressedSize} bytes go beyond the column, of which {chunk.Length - at} are left");
            if (Fault(page, chunk.Slice(at, page.CompressedSize), column) is { } fault) throw Damage(number, page, fault);
            if (page.IsData) values += page.Values;
            if (values > column.NumValues)
                throw Damage(number, page, $"its {page.Values} values are more than the column has left, which is {column.NumValues - values + page.Values}");
            at += page.CompressedSize;
            check._pages.Add((at, page));
        }
        return check;
    }

    /// <summary>Describes the page that contains the byte before <paramref name="position"/>, the last page read.</summary>
    /// <param name="position">Offset from the start of the chunk, in bytes.</param>
    public string PageBefore(long position)
    {
        var number = Math.Max(0, _pages.FindIndex(page => position <= page.End));
        return _pages.Count == 0 ? "no page" : $"page {number} ({_pages[number].Header.Kind}, {_pages[number].Header.Encoding})";
    }

    private static string? Fault(PageHeader page, ReadOnlySpan<byte> bytes, ColumnMetaData column)
    {
        if (page.Checksum is { } checksum && Crc32.HashToUInt32(bytes) is var actual && actual != checksum)
            return $"its checksum is {checksum:x8}, and its bytes have {actual:x8}";
        // Parquet.Net misreads the length prefix of the runs as a run: it returns false for true, or divides by zero.
        if (page.IsData && column.Type == Parquet.Meta.Type.BOOLEAN && page.Encoding == Encoding.RLE)
            return "its booleans are run lengths, which cannot be read";
        var codec = page.IsCompressed ? column.Codec : CompressionCodec.UNCOMPRESSED;
        var most = codec == CompressionCodec.UNCOMPRESSED ? bytes.Length : Math.Max(column.TotalUncompressedSize, ((long)bytes.Length * Ratio) + Slack);
        if (page.LevelsSize > Math.Min(page.CompressedSize, page.UncompressedSize)) return $"its {page.LevelsSize} bytes of levels are more than it has";
        var claimed = Math.Max(page.UncompressedSize, Unpacked(bytes[page.LevelsSize..], codec) ?? 0);
        if (claimed > most) return $"{bytes.Length} bytes do not unpack to {claimed}";
        // Every entry takes at least its fixed width, or a length prefix of 4 bytes.
        if (page.Type == PageType.DICTIONARY_PAGE && (long)page.Values * MinimumSize(column.Type) > page.UncompressedSize)
            return $"it cannot have {page.Values} values in {page.UncompressedSize} bytes";
        return null;
    }

    /// <summary>Reads the decompressed size that the compressed data declares, as a decoder may allocate that much.</summary>
    private static long? Unpacked(ReadOnlySpan<byte> bytes, CompressionCodec codec) => codec switch
    {
        CompressionCodec.SNAPPY => SnappySize(bytes),
        CompressionCodec.ZSTD => ZstandardSize(bytes),
        _ => null,
    };

    private static long? SnappySize(ReadOnlySpan<byte> bytes)
    {
        long size = 0;
        for (var i = 0; i < Math.Min(bytes.Length, 5); i++)
        {
            size |= (long)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80) return size;
        }
        return null;
    }

    // Zstandard frame header by RFC 8878, 3.1.1.1: magic number, descriptor, window, dictionary id, content size.
    private static long? ZstandardSize(ReadOnlySpan<byte> bytes)
    {
        const int Descriptor = 4;
        if (bytes.Length <= Descriptor || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != 0xFD2FB528) return null;
        var isSingleSegment = (bytes[Descriptor] & 0x20) != 0;
        var at = Descriptor + 1 + (isSingleSegment ? 0 : 1) + ((bytes[Descriptor] & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 });
        var width = bytes[Descriptor] >> 6 is var flag && flag == 0 ? (isSingleSegment ? 1 : 0) : 1 << flag;
        if (width == 0 || bytes.Length < at + width) return null;
        ulong size = 0;
        for (var i = width - 1; i >= 0; i--) size = (size << 8) | bytes[at + i];
        return (long)Math.Min(size + (width == 2 ? 256UL : 0), long.MaxValue);
    }

    private static int MinimumSize(Parquet.Meta.Type type) => type switch
    {
        Parquet.Meta.Type.INT64 or Parquet.Meta.Type.DOUBLE => sizeof(long),
        Parquet.Meta.Type.INT96 => 12,
        Parquet.Meta.Type.FIXED_LEN_BYTE_ARRAY => 1,
        Parquet.Meta.Type.BOOLEAN => 0,
        _ => sizeof(int),
    };

    private static InvalidDataException Damage(int number, PageHeader page, string what) => new($"page {number} ({page.Kind}): {what}");
}

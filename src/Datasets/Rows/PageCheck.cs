using System.Buffers.Binary;
using System.IO.Hashing;
using Parquet.Meta;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>
/// Validates the pages of a column chunk before any is decoded: sizes, number of values, checksums where the writer gave them, that no page
/// claims more memory than its bytes can decompress to (decompression bombs), and that no page has an encoding that Parquet.Net misreads.
/// </summary>
internal sealed class PageCheck
{
    // Maximum compression ratio of DEFLATE (gzip); LZ4 and Snappy stay below it. Zstandard and Brotli may exceed it and are limited by the
    // size in the footer instead.
    private const int Ratio = 1032;
    private const int Slack = 64;

    private readonly List<(int End, PageHeader Header)> _pages = [];

    private PageCheck()
    {
    }

    public bool HasDictionary => _pages.Exists(page => page.Header.Type == PageType.DICTIONARY_PAGE);

    /// <summary>Validates pages until all values of the chunk are accounted for.</summary>
    /// <param name="chunk">The bytes of the chunk.</param>
    /// <param name="column">Metadata of the column chunk, from the footer.</param>
    /// <exception cref="InvalidDataException">A page is damaged; the message begins with its number.</exception>
    public static PageCheck Run(ReadOnlySpan<byte> chunk, ColumnMetaData column)
    {
        var check = new PageCheck();
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
            {
                throw Damage(number, page,
                    $"its {page.Values} values are more than the column has left, which is {column.NumValues - values + page.Values}");
            }
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
            return $"its booleans are run lengths ({page.Encoding}), which cannot be read{ParquetFile.WayOut}";
        var codec = page.IsCompressed ? column.Codec : CompressionCodec.UNCOMPRESSED;
        var most = codec == CompressionCodec.UNCOMPRESSED
            ? bytes.Length
            : Math.Max(column.TotalUncompressedSize, ((long)bytes.Length * Ratio) + Slack);
        if (page.LevelsSize > Math.Min(page.CompressedSize, page.UncompressedSize))
            return $"its {page.LevelsSize} bytes of levels are more than it has";
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

    // Snappy blocks begin with the decompressed size as a varint: 7 bits a byte, the lowest first, at most 32 bits in all.
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
        // Descriptor: bits 0 and 1 the size of the dictionary id, bit 5 single segment (no window byte), bits 6 and 7 the size of the
        // content size: 1 << flag bytes; flag 0 means none, or one byte in a single segment. Two bytes hold the size less 256.
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

/// <summary>Header of a Parquet page, with the fields that can be checked without decoding the page.</summary>
internal readonly record struct PageHeader
{
    public required PageType Type { get; init; }

    /// <summary>Size of the header in bytes.</summary>
    public required int Length { get; init; }

    /// <summary>Size of the page after the header, in bytes.</summary>
    public required int CompressedSize { get; init; }

    /// <summary>Size of the decompressed page in bytes, levels included.</summary>
    public required int UncompressedSize { get; init; }

    /// <summary>CRC-32 of the bytes after the header; null when the writer gave none.</summary>
    public required uint? Checksum { get; init; }

    /// <summary>Number of entries in the page, nulls included.</summary>
    public required int Values { get; init; }

    public required Encoding Encoding { get; init; }

    /// <summary>Size in bytes of the levels, which data pages of version 2 store uncompressed before the values.</summary>
    public required int LevelsSize { get; init; }

    /// <summary>True when the values are compressed by the column's codec.</summary>
    public required bool IsCompressed { get; init; }

    public bool IsData => Type is PageType.DATA_PAGE or PageType.DATA_PAGE_V2;

    /// <summary>Human-readable kind of page.</summary>
    public string Kind => Type switch
    {
        PageType.DATA_PAGE => "data",
        PageType.DATA_PAGE_V2 => "data, version 2",
        PageType.DICTIONARY_PAGE => "dictionary",
        _ => $"of kind {Type}",
    };

    /// <summary>Reads the header at the start of <paramref name="bytes"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes do not start with a valid header.</exception>
    public static PageHeader Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftReader(bytes);
        int? type = null, uncompressed = null, compressed = null, checksum = null;
        var values = new PageValues(0, 0, 0, true);
        for (var id = 0; reader.NextField(ref id, out var wire);)
        {
            switch (id, wire)
            {
                case (1, ThriftType.I32): type = reader.ReadI32(); break;
                case (2, ThriftType.I32): uncompressed = reader.ReadI32(); break;
                case (3, ThriftType.I32): compressed = reader.ReadI32(); break;
                case (4, ThriftType.I32): checksum = reader.ReadI32(); break;
                case (5 or 7, ThriftType.Struct): values = ReadValues(ref reader, encoding: 2); break;
                case (8, ThriftType.Struct): values = ReadValues(ref reader, encoding: 4); break;
                default: reader.Skip(wire); break;
            }
        }
        if (type is null || compressed is null or < 0 || uncompressed is null or < 0 || values.Count < 0 || values.Levels < 0)
            throw new InvalidDataException("its type or a size is missing or negative");
        return new PageHeader
        {
            Type = (PageType)type.Value,
            Length = reader.Position,
            CompressedSize = compressed.Value,
            UncompressedSize = uncompressed.Value,
            Checksum = (uint?)checksum,
            Values = values.Count,
            Encoding = (Encoding)values.Encoding,
            LevelsSize = values.Levels,
            IsCompressed = values.IsCompressed,
        };
    }

    // By parquet.thrift, the encoding is field 2 of dictionary pages and data pages of version 1, and field 4 of data pages of version 2,
    // which also have the sizes of the levels (5 and 6) and is_compressed (7).
    private static PageValues ReadValues(ref ThriftReader reader, int encoding)
    {
        var values = new PageValues(0, 0, 0, true);
        var isVersion2 = encoding == 4;
        for (var id = 0; reader.NextField(ref id, out var wire);)
        {
            if (wire == ThriftType.I32 && id == 1) values = values with { Count = reader.ReadI32() };
            else if (wire == ThriftType.I32 && id == encoding) values = values with { Encoding = reader.ReadI32() };
            else if (wire == ThriftType.I32 && isVersion2 && id is 5 or 6) values = values.WithLevels(reader.ReadI32());
            else if (isVersion2 && id == 7) values = values with { IsCompressed = wire == ThriftType.True };
            else reader.Skip(wire);
        }
        return values;
    }

    private readonly record struct PageValues(int Count, int Encoding, int Levels, bool IsCompressed)
    {
        public PageValues WithLevels(int size) =>
            this with { Levels = size < 0 || Levels < 0 || size > int.MaxValue - Levels ? -1 : Levels + size };
    }
}

/// <summary>The wire types of Thrift's compact protocol, in which Parquet writes its headers.</summary>
internal enum ThriftType : byte
{
    Stop = 0,
    True = 1,
    False = 2,
    Byte = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
    Uuid = 13,
}

/// <summary>Reads Thrift's compact protocol from memory, with bounds checks and without allocations for claimed sizes.</summary>
/// <remarks>All errors in the bytes throw <see cref="InvalidDataException"/>.</remarks>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    // parquet.thrift nests fewer than ten structures; the limit keeps damaged bytes from overflowing the stack.
    private const int MaximumDepth = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _depth;

    /// <summary>Number of bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>Reads the header of a structure's next field; false at the end of the structure.</summary>
    public bool NextField(ref int id, out ThriftType type)
    {
        // High half of the byte: difference to the previous field's id, 0 when the id follows as a number; low half: the wire type.
        var header = Take(1)[0];
        type = (ThriftType)(header & 0x0F);
        if (header == 0) return false;
        id = header >> 4 != 0 ? id + (header >> 4) : ReadI32();
        return true;
    }

    public int ReadI32()
    {
        var value = ReadI64();
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new InvalidDataException($"{value} is no 32-bit number");
    }

    public long ReadI64()
    {
        var value = ReadVarint();
        // Zigzag encoding: 0, -1, 1, -2, … are stored as 0, 1, 2, 3, …
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    public void Skip(ThriftType type)
    {
        if (++_depth > MaximumDepth) throw new InvalidDataException("structures are nested too deeply");
        switch (type)
        {
            case ThriftType.True or ThriftType.False: break;
            case ThriftType.Byte: Take(1); break;
            case ThriftType.I16 or ThriftType.I32 or ThriftType.I64: ReadVarint(); break;
            case ThriftType.Double: Take(sizeof(double)); break;
            case ThriftType.Uuid: Take(16); break;
            case ThriftType.Binary: Take(ReadCount()); break;
            case ThriftType.List or ThriftType.Set: SkipList(); break;
            case ThriftType.Map: SkipMap(); break;
            case ThriftType.Struct:
                for (var id = 0; NextField(ref id, out var field);) Skip(field);
                break;
            default: throw new InvalidDataException($"there is no wire type {(int)type}");
        }
        _depth--;
    }

    /// <summary>Reads the header of a list of structures; returns the number of its elements.</summary>
    public int ReadListHeader()
    {
        var (count, type) = ReadElements();
        return type == ThriftType.Struct || count == 0 ? count
            : throw new InvalidDataException($"a list has elements of type {type} instead of structures");
    }

    private void SkipList()
    {
        var (count, type) = ReadElements();
        for (var i = 0; i < count; i++) SkipElement(type);
    }

    // High half of the byte: number of elements, 15 when it follows as a varint; low half: their wire type.
    private (int Count, ThriftType Type) ReadElements()
    {
        var header = Take(1)[0];
        return (header >> 4 == 15 ? ReadCount() : header >> 4, (ThriftType)(header & 0x0F));
    }

    private void SkipMap()
    {
        var count = ReadCount();
        if (count == 0) return;
        var types = Take(1)[0];
        for (var i = 0; i < count; i++)
        {
            SkipElement((ThriftType)(types >> 4));
            SkipElement((ThriftType)(types & 0x0F));
        }
    }

    // A boolean field is encoded in the field's header, but a boolean element of a list or map takes a byte.
    private void SkipElement(ThriftType type) => Skip(type is ThriftType.True or ThriftType.False ? ThriftType.Byte : type);

    private int ReadCount()
    {
        var count = ReadVarint();
        // Every element and character takes at least one byte, so that the remaining bytes bound the count.
        return count <= (ulong)(_bytes.Length - Position) ? (int)count : throw EndsTooEarly();
    }

    // A varint has 7 bits a byte, the lowest first; the top bit says that another byte follows.
    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }
        throw new InvalidDataException("a number is longer than 64 bits");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - Position) throw EndsTooEarly();
        Position += count;
        return _bytes.Slice(Position - count, count);
    }

    private static InvalidDataException EndsTooEarly() => new("it ends too early");
}

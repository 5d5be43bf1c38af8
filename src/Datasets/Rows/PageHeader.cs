using Parquet.Meta;

namespace FunctionsPipeline.Datasets;

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

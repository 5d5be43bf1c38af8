using Parquet.Meta;

namespace FunctionsPipeline.Datasets;

/// <summary>What a Parquet page says of itself, as far as it can be checked without decoding it.</summary>
internal readonly record struct PageHeader
{
    public required PageType Type { get; init; }

    /// <summary>Bytes of the header itself.</summary>
    public required int Length { get; init; }

    /// <summary>Bytes after the header.</summary>
    public required int CompressedSize { get; init; }

    /// <summary>Bytes of the page unpacked, levels included.</summary>
    public required int UncompressedSize { get; init; }

    /// <summary>CRC-32 of the bytes after the header, when the writer gave one.</summary>
    public required uint? Checksum { get; init; }

    /// <summary>Entries of the page, nulls included.</summary>
    public required int Values { get; init; }

    public required Encoding Encoding { get; init; }

    /// <summary>Bytes of the levels, which data pages of version 2 keep before their packed values.</summary>
    public required int LevelsSize { get; init; }

    /// <summary>Whether the values are packed by the codec of the column.</summary>
    public required bool IsCompressed { get; init; }

    public bool IsData => Type is PageType.DATA_PAGE or PageType.DATA_PAGE_V2;

    /// <summary>The kind of page, for a person.</summary>
    public string Kind => Type switch
    {
        PageType.DATA_PAGE => "data",
        PageType.DATA_PAGE_V2 => "data, version 2",
        PageType.DICTIONARY_PAGE => "dictionary",
        _ => $"of kind {Type}",
    };

    /// <summary>Reads the header that <paramref name="bytes"/> begin with.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
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

    // The encoding is the second field of dictionary pages and data pages of version 1, and the fourth of version 2, which has more.
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

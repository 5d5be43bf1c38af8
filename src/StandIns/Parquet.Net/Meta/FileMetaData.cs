namespace Parquet.Meta;

/// <summary>The footer of a file (parquet.thrift).</summary>
public class FileMetaData
{
    public int Version { get; set; }

    public List<SchemaElement> Schema { get; set; } = [];

    public long NumRows { get; set; }

    public List<RowGroup> RowGroups { get; set; } = [];

    public List<KeyValue>? KeyValueMetadata { get; set; }

    public string? CreatedBy { get; set; }
}

/// <summary>A node of the schema.</summary>
public class SchemaElement
{
    public Type? Type { get; set; }

    public int? TypeLength { get; set; }

    public FieldRepetitionType? RepetitionType { get; set; }

    public string Name { get; set; } = "";

    public int? NumChildren { get; set; }

    public ConvertedType? ConvertedType { get; set; }

    /// <summary>Digits after the point of a decimal column.</summary>
    public int? Scale { get; set; }

    /// <summary>Digits of a decimal column.</summary>
    public int? Precision { get; set; }

    public LogicalType? LogicalType { get; set; }
}

/// <summary>A row group.</summary>
public class RowGroup
{
    public List<ColumnChunk> Columns { get; set; } = [];

    /// <summary>Bytes of all columns, not compressed.</summary>
    public long TotalByteSize { get; set; }

    public long NumRows { get; set; }

    public long? TotalCompressedSize { get; set; }
}

/// <summary>A column of a row group.</summary>
public class ColumnChunk
{
    public long FileOffset { get; set; }

    public ColumnMetaData? MetaData { get; set; }
}

/// <summary>Where a column's pages are and how they are written.</summary>
public class ColumnMetaData
{
    public Type Type { get; set; }

    public List<Encoding> Encodings { get; set; } = [];

    public List<string> PathInSchema { get; set; } = [];

    public CompressionCodec Codec { get; set; }

    public long NumValues { get; set; }

    public long TotalUncompressedSize { get; set; }

    public long TotalCompressedSize { get; set; }

    public List<KeyValue>? KeyValueMetadata { get; set; }

    public long DataPageOffset { get; set; }

    public long? IndexPageOffset { get; set; }

    public long? DictionaryPageOffset { get; set; }

    public Statistics? Statistics { get; set; }
}

/// <summary>What is known of a column's values.</summary>
public class Statistics
{
    public long? NullCount { get; set; }
}

/// <summary>A key-value pair.</summary>
public class KeyValue
{
    public string Key { get; set; } = "";

    public string? Value { get; set; }
}

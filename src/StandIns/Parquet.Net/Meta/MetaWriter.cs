namespace Parquet.Meta;

/// <summary>Writes the structures of parquet.thrift.</summary>
internal static class MetaWriter
{
    public static byte[] Write(FileMetaData file)
    {
        var writer = new ThriftWriter();
        writer.BeginStruct();
        writer.I32(1, file.Version);
        writer.Structs(2, file.Schema, element => SchemaElement(writer, element));
        writer.I64(3, file.NumRows);
        writer.Structs(4, file.RowGroups, group => RowGroup(writer, group));
        writer.Structs(5, file.KeyValueMetadata is { Count: > 0 } pairs ? pairs : null, pair => KeyValue(writer, pair));
        writer.Text(6, file.CreatedBy);
        writer.EndStruct();
        return writer.ToArray();
    }

    /// <summary>The header of a data page of version 1 whose levels are in <see cref="Encoding.RLE"/>.</summary>
    public static byte[] Write(PageHeader page)
    {
        var writer = new ThriftWriter();
        writer.BeginStruct();
        writer.I32(1, (int)page.Type);
        writer.I32(2, page.UncompressedPageSize);
        writer.I32(3, page.CompressedPageSize);
        writer.Struct(5, page, _ =>
        {
            writer.I32(1, page.NumValues);
            writer.I32(2, (int)page.Encoding);
            writer.I32(3, (int)Encoding.RLE);
            writer.I32(4, (int)Encoding.RLE);
        });
        writer.EndStruct();
        return writer.ToArray();
    }

    private static void SchemaElement(ThriftWriter writer, SchemaElement element)
    {
        writer.I32(1, (int?)element.Type);
        writer.I32(2, element.TypeLength);
        writer.I32(3, (int?)element.RepetitionType);
        writer.Text(4, element.Name);
        writer.I32(5, element.NumChildren);
        writer.I32(6, (int?)element.ConvertedType);
        writer.Struct(10, element.LogicalType, logical => writer.Struct(1, logical.STRING, _ => { }));
    }

    private static void RowGroup(ThriftWriter writer, RowGroup group)
    {
        writer.Structs(1, group.Columns, chunk =>
        {
            writer.I64(2, chunk.FileOffset);
            writer.Struct(3, chunk.MetaData, metadata => ColumnMetaData(writer, metadata));
        });
        writer.I64(2, group.TotalByteSize);
        writer.I64(3, group.NumRows);
        writer.I64(6, group.TotalCompressedSize);
    }

    private static void ColumnMetaData(ThriftWriter writer, ColumnMetaData column)
    {
        writer.I32(1, (int)column.Type);
        writer.I32s(2, [.. column.Encodings.Select(encoding => (int)encoding)]);
        writer.Texts(3, column.PathInSchema);
        writer.I32(4, (int)column.Codec);
        writer.I64(5, column.NumValues);
        writer.I64(6, column.TotalUncompressedSize);
        writer.I64(7, column.TotalCompressedSize);
        writer.Structs(8, column.KeyValueMetadata, pair => KeyValue(writer, pair));
        writer.I64(9, column.DataPageOffset);
        writer.I64(11, column.DictionaryPageOffset);
        writer.Struct(12, column.Statistics, statistics => writer.I64(3, statistics.NullCount));
    }

    private static void KeyValue(ThriftWriter writer, KeyValue pair)
    {
        writer.Text(1, pair.Key);
        writer.Text(2, pair.Value);
    }
}

namespace Parquet.Meta;

/// <summary>Reads the structures of parquet.thrift; fields that nobody needs are skipped.</summary>
internal static class MetaReader
{
    private delegate T Element<out T>(ref ThriftReader reader);

    public static FileMetaData FileMetaData(ref ThriftReader reader)
    {
        var result = new FileMetaData();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Version = reader.ReadI32(); break;
                case 2: result.Schema = List(ref reader, SchemaElement); break;
                case 3: result.NumRows = reader.ReadI64(); break;
                case 4: result.RowGroups = List(ref reader, RowGroup); break;
                case 5: result.KeyValueMetadata = List(ref reader, KeyValue); break;
                case 6: result.CreatedBy = reader.ReadString(); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    public static PageHeader PageHeader(ref ThriftReader reader)
    {
        var result = new PageHeader();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Type = (PageType)reader.ReadI32(); break;
                case 2: result.UncompressedPageSize = reader.ReadI32(); break;
                case 3: result.CompressedPageSize = reader.ReadI32(); break;
                case 4: result.Crc = reader.ReadI32(); break;
                case 5 or 7: PageValues(ref reader, result); break;
                case 8: PageValuesV2(ref reader, result); break;
                default: reader.Skip(type); break;
            }
        }
        if (result.UncompressedPageSize < 0 || result.DefinitionLevelsByteLength < 0 || result.RepetitionLevelsByteLength < 0 || result.CompressedPageSize < 0 || result.NumValues < 0)
            throw new InvalidDataException("a page has a negative size");
        return result;
    }

    private static void PageValues(ref ThriftReader reader, PageHeader page)
    {
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: page.NumValues = reader.ReadI32(); break;
                case 2: page.Encoding = (Encoding)reader.ReadI32(); break;
                default: reader.Skip(type); break;
            }
        }
    }

    private static void PageValuesV2(ref ThriftReader reader, PageHeader page)
    {
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: page.NumValues = reader.ReadI32(); break;
                case 2: page.NumNulls = reader.ReadI32(); break;
                case 4: page.Encoding = (Encoding)reader.ReadI32(); break;
                case 5: page.DefinitionLevelsByteLength = reader.ReadI32(); break;
                case 6: page.RepetitionLevelsByteLength = reader.ReadI32(); break;
                case 7: page.IsCompressed = type == ThriftType.True; break;
                default: reader.Skip(type); break;
            }
        }
    }

    private static SchemaElement SchemaElement(ref ThriftReader reader)
    {
        var result = new SchemaElement();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Type = (Type)reader.ReadI32(); break;
                case 2: result.TypeLength = reader.ReadI32(); break;
                case 3: result.RepetitionType = (FieldRepetitionType)reader.ReadI32(); break;
                case 4: result.Name = reader.ReadString(); break;
                case 5: result.NumChildren = reader.ReadI32(); break;
                case 6: result.ConvertedType = (ConvertedType)reader.ReadI32(); break;
                case 7: result.Scale = reader.ReadI32(); break;
                case 8: result.Precision = reader.ReadI32(); break;
                case 10: result.LogicalType = LogicalTypeReader.Read(ref reader); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static RowGroup RowGroup(ref ThriftReader reader)
    {
        var result = new RowGroup();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Columns = List(ref reader, ColumnChunk); break;
                case 2: result.TotalByteSize = reader.ReadI64(); break;
                case 3: result.NumRows = reader.ReadI64(); break;
                case 6: result.TotalCompressedSize = reader.ReadI64(); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static ColumnChunk ColumnChunk(ref ThriftReader reader)
    {
        var result = new ColumnChunk();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 2: result.FileOffset = reader.ReadI64(); break;
                case 3: result.MetaData = ColumnMetaData(ref reader); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static ColumnMetaData ColumnMetaData(ref ThriftReader reader)
    {
        var result = new ColumnMetaData();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Type = (Type)reader.ReadI32(); break;
                case 2: result.Encodings = List(ref reader, static (ref ThriftReader r) => (Encoding)r.ReadI32()); break;
                case 3: result.PathInSchema = List(ref reader, static (ref ThriftReader r) => r.ReadString()); break;
                case 4: result.Codec = (CompressionCodec)reader.ReadI32(); break;
                case 5: result.NumValues = reader.ReadI64(); break;
                case 6: result.TotalUncompressedSize = reader.ReadI64(); break;
                case 7: result.TotalCompressedSize = reader.ReadI64(); break;
                case 8: result.KeyValueMetadata = List(ref reader, KeyValue); break;
                case 9: result.DataPageOffset = reader.ReadI64(); break;
                case 10: result.IndexPageOffset = reader.ReadI64(); break;
                case 11: result.DictionaryPageOffset = reader.ReadI64(); break;
                case 12: result.Statistics = Statistics(ref reader); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static Statistics Statistics(ref ThriftReader reader)
    {
        var result = new Statistics();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            if (id == 3) result.NullCount = reader.ReadI64();
            else reader.Skip(type);
        }
        return result;
    }

    private static KeyValue KeyValue(ref ThriftReader reader)
    {
        var result = new KeyValue();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Key = reader.ReadString(); break;
                case 2: result.Value = reader.ReadString(); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static List<T> List<T>(ref ThriftReader reader, Element<T> element)
    {
        var result = new List<T>();
        for (var count = reader.ReadListHeader(); count > 0; count--) result.Add(element(ref reader));
        return result;
    }
}

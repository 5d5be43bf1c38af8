using Parquet.Meta;

namespace Parquet.Schema;

/// <summary>Builds fields from the schema elements of a footer, which list the tree depth first.</summary>
internal static class SchemaDecoder
{
    private const int MaximumDepth = 64;

    /// <exception cref="ParquetException">The elements form no tree.</exception>
    public static ParquetSchema Decode(IReadOnlyList<SchemaElement> elements)
    {
        if (elements.Count < 2) throw new ParquetException("the footer has no schema");
        var index = 1;
        var fields = Children(elements, ref index, elements[0].NumChildren ?? 0, 0);
        return new ParquetSchema(fields);
    }

    private static List<Field> Children(IReadOnlyList<SchemaElement> elements, ref int index, int count, int depth)
    {
        if (depth > MaximumDepth) throw new ParquetException("the schema is nested too deeply");
        var fields = new List<Field>();
        for (var i = 0; i < count; i++) fields.Add(Decode(elements, ref index, depth));
        return fields;
    }

    private static Field Decode(IReadOnlyList<SchemaElement> elements, ref int index, int depth)
    {
        if (index >= elements.Count) throw new ParquetException("the schema names more fields than it has");
        var element = elements[index++];
        var optional = element.RepetitionType == FieldRepetitionType.OPTIONAL;
        if (element.Type is not null)
        {
            return new DataField(element.Name, ClrType(element), optional, element.RepetitionType == FieldRepetitionType.REPEATED)
            {
                FixedLength = element.Type == Meta.Type.FIXED_LEN_BYTE_ARRAY ? element.TypeLength ?? 0 : 0,
                Scale = element.LogicalType is { Kind: LogicalKind.Decimal } exact ? exact.Scale : element.Scale ?? 0,
            };
        }
        var annotated = element.ConvertedType is ConvertedType.LIST or ConvertedType.MAP or ConvertedType.MAP_KEY_VALUE
            || element.LogicalType is { Kind: LogicalKind.List or LogicalKind.Map };
        var repeated = annotated && index < elements.Count && elements[index].NumChildren > 0 ? elements[index++] : null;
        var children = Children(elements, ref index, (repeated ?? element).NumChildren ?? 0, depth + 1);
        return (repeated, children.Count) switch
        {
            (null, 0) => throw new ParquetException($"the group '{element.Name}' is empty"),
            ({ } container, 1) => new ListField(element.Name, optional, container.Name, children[0]),
            ({ } container, 2) => new MapField(element.Name, optional, container.Name, children[0], children[1]),
            ({ }, _) => throw new ParquetException($"the list '{element.Name}' has several elements"),
            _ => new StructField(element.Name, optional, children),
        };
    }

    private static System.Type ClrType(SchemaElement element)
    {
        if (element.ConvertedType == ConvertedType.UTF8 || element.LogicalType is { Kind: LogicalKind.String or LogicalKind.Enum })
            return typeof(ReadOnlyMemory<char>);
        if (element.LogicalType is { Kind: LogicalKind.Integer } integer)
            return Integer(integer.BitWidth, integer.IsSigned);
        return element.ConvertedType switch
        {
            ConvertedType.INT_8 => typeof(sbyte),
            ConvertedType.UINT_8 => typeof(byte),
            ConvertedType.INT_16 => typeof(short),
            ConvertedType.UINT_16 => typeof(ushort),
            ConvertedType.UINT_32 => typeof(uint),
            ConvertedType.UINT_64 => typeof(ulong),
            ConvertedType.DATE or ConvertedType.TIMESTAMP_MILLIS or ConvertedType.TIMESTAMP_MICROS => typeof(DateTime),
            ConvertedType.DECIMAL => typeof(decimal),
            _ when element.LogicalType is { Kind: LogicalKind.Date or LogicalKind.Timestamp } => typeof(DateTime),
            _ when element.LogicalType is { Kind: LogicalKind.Decimal } => typeof(decimal),
            _ when element.LogicalType is { Kind: LogicalKind.Float16 } => typeof(Half),
            _ => element.Type switch
            {
                Meta.Type.BOOLEAN => typeof(bool),
                Meta.Type.INT32 => typeof(int),
                Meta.Type.INT64 => typeof(long),
                Meta.Type.INT96 => typeof(DateTime),
                Meta.Type.FLOAT => typeof(float),
                Meta.Type.DOUBLE => typeof(double),
                _ => typeof(ReadOnlyMemory<byte>),
            },
        };
    }

    private static System.Type Integer(int bits, bool signed) => (bits, signed) switch
    {
        (8, true) => typeof(sbyte),
        (8, false) => typeof(byte),
        (16, true) => typeof(short),
        (16, false) => typeof(ushort),
        (32, true) => typeof(int),
        (32, false) => typeof(uint),
        (64, true) => typeof(long),
        (64, false) => typeof(ulong),
        _ => throw new ParquetException($"the schema has an integer of {bits} bits"),
    };
}

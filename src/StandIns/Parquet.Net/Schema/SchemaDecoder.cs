using Parquet.Meta;

namespace Parquet.Schema;

/// <summary>Builds fields from the schema elements of a footer, which list the tree depth first.</summary>
internal static class SchemaDecoder
{
    private const int MaximumDepth = 64;

    /// <exception cref="ParquetException">The elements form no tree.</exception>
    /// <exception cref="NotSupportedException">A column is of half floats.</exception>
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
        var field = element.Type is null ? Group(elements, element, ref index, depth) : Column(element);
        field.SchemaElement = element;
        return field;
    }

    private static DataField Column(SchemaElement element) =>
        new(element.Name, ClrTypes.Of(element), element.RepetitionType == FieldRepetitionType.OPTIONAL,
            element.RepetitionType == FieldRepetitionType.REPEATED)
        {
            FixedLength = element.Type == Meta.Type.FIXED_LEN_BYTE_ARRAY ? element.TypeLength ?? 0 : 0,
            Scale = element.LogicalType?.DECIMAL?.Scale ?? element.Scale ?? 0,
        };

    private static Field Group(IReadOnlyList<SchemaElement> elements, SchemaElement element, ref int index, int depth)
    {
        var optional = element.RepetitionType == FieldRepetitionType.OPTIONAL;
        var annotated = element.ConvertedType is ConvertedType.LIST or ConvertedType.MAP or ConvertedType.MAP_KEY_VALUE
            || element.LogicalType is { LIST: not null } or { MAP: not null };
        var repeated = annotated && index < elements.Count && elements[index].NumChildren > 0 ? elements[index++] : null;
        var children = Children(elements, ref index, (repeated ?? element).NumChildren ?? 0, depth + 1);
        return (repeated, children.Count) switch
        {
            (null, 0) => throw new ParquetException($"the group '{element.Name}' is empty"),
            (null, _) when element.RepetitionType == FieldRepetitionType.REPEATED =>
                throw new ParquetException($"the group '{element.Name}' repeats without being a list"),
            ({ } container, 1) => new ListField(element.Name, optional, container.Name, children[0]),
            ({ } container, 2) => new MapField(element.Name, optional, container.Name, children[0], children[1]),
            ({ }, _) => throw new ParquetException($"the list '{element.Name}' has several elements"),
            _ => new StructField(element.Name, optional, children),
        };
    }
}

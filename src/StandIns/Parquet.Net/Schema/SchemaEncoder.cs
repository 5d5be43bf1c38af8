using Parquet.Columns;
using Parquet.Meta;

namespace Parquet.Schema;

/// <summary>Lists a schema the way a footer does: the tree depth first, after a root.</summary>
internal static class SchemaEncoder
{
    public static List<SchemaElement> Encode(ParquetSchema schema)
    {
        var elements = new List<SchemaElement> { new() { Name = "root", NumChildren = schema.Fields.Count } };
        foreach (var field in schema.Fields) Encode(field, elements);
        return elements;
    }

    private static void Encode(Field field, List<SchemaElement> elements)
    {
        var element = new SchemaElement
        {
            Name = field.Name,
            RepetitionType = field.IsNullable ? FieldRepetitionType.OPTIONAL : FieldRepetitionType.REQUIRED,
        };
        elements.Add(element);
        if (field is StructField group)
        {
            element.NumChildren = group.Fields.Count;
            foreach (var child in group.Fields) Encode(child, elements);
            return;
        }
        var column = field as DataField ?? throw new NotSupportedException($"'{field.Path}': lists and maps cannot be written by this build");
        element.Type = PhysicalTypes.Of(column.ClrType);
        element.ConvertedType = PhysicalTypes.Annotation(column.ClrType);
        if (element.ConvertedType == ConvertedType.UTF8) element.LogicalType = new LogicalType { STRING = new StringType() };
    }
}

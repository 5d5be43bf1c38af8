using Parquet.Schema;
using PhysicalType = Parquet.Meta.Type;

namespace FunctionsPipeline.Datasets;

/// <summary>Names column types in Arrow notation, such as <c>list&lt;string&gt;</c> or <c>decimal(10,2)</c>.</summary>
internal static class ColumnTypeName
{
    /// <param name="file">The file that contains the field.</param>
    public static string Of(ParquetFile file, Field field) => field switch
    {
        ListField list => $"list<{Of(file, list.Item)}>",
        MapField map => $"map<{Of(file, map.Key)}, {Of(file, map.Value)}>",
        StructField fields => $"struct<{string.Join(", ", fields.Fields.Select(f => $"{f.Name}: {Of(file, f)}"))}>",
        DataField { IsArray: true } data => $"list<{Scalar(file, data)}>",
        DataField data => Scalar(file, data),
        _ => field.SchemaType.ToString(),
    };

    private static string Scalar(ParquetFile file, DataField field)
    {
        if (file.StoredTypeOf(field) is { } stored) return stored.Name;
        var element = field.SchemaElement;
        if (element?.LogicalType?.TIME?.Unit is { } unit) return $"time[{(unit.MILLIS is not null ? "ms" : unit.MICROS is not null ? "us" : "ns")}]";
        return field.ClrType switch
        {
            var type when type == typeof(ReadOnlyMemory<char>) => "string",
            var type when type == typeof(ReadOnlyMemory<byte>) && element is { Type: PhysicalType.FIXED_LEN_BYTE_ARRAY, TypeLength: { } length } =>
                $"binary[{length}]",
            var type when type == typeof(ReadOnlyMemory<byte>) => "binary",
            var type when type == typeof(decimal) => $"decimal({element?.Precision},{element?.Scale ?? 0})",
            // INT96, the timestamp that Impala and older Spark write.
            var type when type == typeof(DateTime) => "timestamp[ns]",
            var type when type == typeof(Guid) => "uuid",
            var type when type == typeof(bool) => "bool",
            var type when type == typeof(float) => "float",
            _ => field.ClrType.Name.ToLowerInvariant(),
        };
    }
}

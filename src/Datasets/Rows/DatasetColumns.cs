using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Describes the columns of a Parquet file, as a basis for their mapping.</summary>
internal static class DatasetColumns
{
    public static IReadOnlyList<ColumnInfo> Describe(ParquetFile file) =>
        [.. file.Schema.Fields.Select(field => new ColumnInfo(field.Name, ColumnTypeName.Of(file, field), file.Features.Of(field.Name)?.ToString()))];
}

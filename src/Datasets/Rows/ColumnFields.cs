using System.Text.Json;
using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>The mapped columns of a Parquet file, found and checked.</summary>
internal sealed class ColumnFields
{
    private static readonly Type[] Integers = [typeof(long), typeof(int), typeof(short)];
    private static readonly Type[] Numbers = [.. Integers, typeof(double), typeof(float), typeof(decimal)];

    private ColumnFields(ParquetReader reader, ColumnMapping columns)
    {
        Mapping = columns;
        var schema = reader.Schema;
        Image = FindImage(schema, columns.Image);
        Title = Find(schema, columns.Title, "title", "a string", IsText);
        Category = Find(schema, columns.Category, "category",
            "a string, or an integer with the names of its classes in the file's metadata",
            field => IsText(field) || (field.ClrType == typeof(long) && ClassNames(reader, field.Name) is not null));
        CategoryNames = Category is null || IsText(Category) ? null : ClassNames(reader, Category.Name);
        Price = Find(schema, columns.Price, "price", "a number", field => Numbers.Contains(field.ClrType));
        Product = Find(schema, columns.Product, "product", "a string or an integer",
            field => IsText(field) || Integers.Contains(field.ClrType));
    }

    public ColumnMapping Mapping { get; }

    /// <summary>An URL, or the bytes of an embedded image.</summary>
    public DataField Image { get; }

    public bool ImageIsEmbedded => !IsText(Image);

    public DataField? Title { get; }

    public DataField? Category { get; }

    /// <summary>The names of an integer category's values.</summary>
    public IReadOnlyList<string>? CategoryNames { get; }

    public DataField? Price { get; }

    /// <summary>What tells products apart.</summary>
    public DataField? Product { get; }

    /// <exception cref="RequestException">A column does not exist or has a type that does not fit.</exception>
    public static ColumnFields Find(ParquetReader reader, ColumnMapping columns) => new(reader, columns);

    private static DataField FindImage(ParquetSchema schema, string name)
    {
        var field = Top(schema, name, "image");
        if (field is DataField url && IsText(url)) return url;
        return field is StructField image && image.Fields.OfType<DataField>().FirstOrDefault(f => f.Name == "bytes") is { } bytes
            ? bytes
            : throw new RequestException("dataset.columns.image", 400,
                $"the column '{name}' is {Describe(field)}; an image column is a string with an URL, or a struct with the image's bytes");
    }

    private static DataField? Find(ParquetSchema schema, string? name, string role, string wanted, Func<DataField, bool> fits)
    {
        if (name is null) return null;
        var field = Top(schema, name, role);
        return field is DataField data && !data.IsArray && fits(data)
            ? data
            : throw new RequestException($"dataset.columns.{role}", 400,
                $"the column '{name}' is {Describe(field)}; a {role} column is {wanted}");
    }

    private static Field Top(ParquetSchema schema, string name, string role) =>
        schema.Fields.FirstOrDefault(f => f.Name == name) ?? throw new RequestException($"dataset.columns.{role}", 400,
            $"the dataset has no column '{name}'; its columns are: {string.Join(", ", schema.Fields.Select(f => f.Name))}");

    /// <summary>Whether a column holds strings, which Parquet.Net reports as memory of characters.</summary>
    public static bool IsText(DataField field) => !field.IsArray && field.ClrType == typeof(ReadOnlyMemory<char>);

    private static string Describe(Field field) => field switch
    {
        StructField image => $"a struct of {string.Join(", ", image.Fields.Select(f => f.Name))}",
        DataField data when IsText(data) => "a string",
        DataField data when data.ClrType == typeof(ReadOnlyMemory<byte>) => "binary",
        DataField { IsArray: false } data => $"of type {data.ClrType.Name}",
        _ => "a list",
    };

    private static List<string>? ClassNames(ParquetReader reader, string column)
    {
        if (!reader.CustomMetadata.TryGetValue("huggingface", out var text)) return null;
        using var metadata = JsonDocument.Parse(text);
        return metadata.RootElement.TryGetProperty("info", out var info) && info.TryGetProperty("features", out var features)
            && features.TryGetProperty(column, out var feature) && feature.TryGetProperty("names", out var names)
            && names.ValueKind == JsonValueKind.Array
            ? [.. names.EnumerateArray().Select(n => n.GetString() ?? "")]
            : null;
    }
}

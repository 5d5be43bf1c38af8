using System.Globalization;
using FunctionsPipeline.Contracts;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// The mapped columns of a Parquet file, found and checked. Where a column is a list, the first of its values that is not null counts.
/// </summary>
internal sealed class ColumnFields
{
    private ColumnFields(ParquetFile file, ColumnMapping columns)
    {
        var image = Top(file, columns.Image, "image");
        Image = ImageColumn.Find(file, image) ?? throw Unfit(file, "image", image,
            "a string with an URL, binary with the image's bytes, a struct with both (bytes and path), or a list of one of them");
        Title = Find(file, columns.Title, "title", "a string, a number, a date or a list of one of them", _ => true);
        Category = Find(file, columns.Category, "category",
            "a string, a boolean, an integer (whose classes may have names in the file's metadata) or a list of one of them",
            type => type.IsText || type.IsInteger || type.IsBoolean);
        CategoryNames = Category is { Type.IsInteger: true } ? file.Features.Of(columns.Category!)?.Names : null;
        Price = Find(file, columns.Price, "price", "a number, a string with one or a list of one of them", type => type.IsNumber || type.IsText);
        Product = Find(file, columns.Product, "product", "a string, an integer or a list of one of them", type => type.IsText || type.IsInteger);
    }

    public ImageColumn Image { get; }

    public MappedColumn? Title { get; }

    public MappedColumn? Category { get; }

    /// <summary>The names of an integer category's values.</summary>
    public IReadOnlyList<string>? CategoryNames { get; }

    public MappedColumn? Price { get; }

    /// <summary>What tells products apart.</summary>
    public MappedColumn? Product { get; }

    /// <exception cref="RequestException">A column does not exist or has a type that does not fit.</exception>
    public static ColumnFields Find(ParquetFile file, ColumnMapping columns) => new(file, columns);

    /// <summary>Whether a column holds strings, which Parquet.Net reports as memory of characters.</summary>
    public static bool IsText(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>);

    /// <summary>What the elements of a list are, of whatever depth; the field itself when it is none.</summary>
    public static Field ElementOf(Field field) => field is ListField list ? ElementOf(list.Item) : field;

    /// <summary>The category of a row, by name where its value is the number of a class.</summary>
    public string? CategoryOf(IColumn column, int row)
    {
        if (CategoryNames is not { } names) return column.Text(row);
        // A code outside the names, such as -1, is the Hub's way of saying that there is no label.
        return int.TryParse(column.Text(row), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code)
            && code >= 0 && code < names.Count ? names[code] : null;
    }

    private static MappedColumn? Find(ParquetFile file, string? name, string role, string wanted, Func<ColumnType, bool> fits)
    {
        if (name is null) return null;
        var field = Top(file, name, role);
        return ElementOf(field) is DataField data && ColumnType.Find(file, data) is { } type && fits(type)
            ? new MappedColumn(data, type)
            : throw Unfit(file, role, field, wanted);
    }

    private static Field Top(ParquetFile file, string name, string role) =>
        file.Schema.Fields.FirstOrDefault(f => f.Name == name) ?? throw new RequestException($"dataset.columns.{role}", 400,
            $"the dataset has no column '{name}'; its columns are: {string.Join(", ", file.Schema.Fields.Select(f => f.Name))}");

    private static RequestException Unfit(ParquetFile file, string role, Field field, string wanted) => new($"dataset.columns.{role}", 400,
        $"the column '{field.Name}' is of type {ColumnTypeName.Of(file, field)}; {(role is "image" ? "an" : "a")} {role} column is {wanted}");
}

/// <summary>A column that a role is mapped to, and how it is read.</summary>
internal sealed record MappedColumn(DataField Field, ColumnType Type)
{
    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public Task<IColumn> ReadAsync(ParquetFile file, int group, CancellationToken cancellation) => Type.ReadAsync(file, group, Field, cancellation);
}

using System.Globalization;
using FunctionsPipeline.Contracts;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>The mapped columns of a Parquet file, with checked types. Of a list column, the first value that is not null is used.</summary>
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

    /// <summary>Class names of an integer category column; null when it has none.</summary>
    public IReadOnlyList<string>? CategoryNames { get; }

    public MappedColumn? Price { get; }

    /// <summary>The column that identifies the product.</summary>
    public MappedColumn? Product { get; }

    /// <exception cref="RequestException">A column does not exist or has an unsuitable type.</exception>
    public static ColumnFields Find(ParquetFile file, ColumnMapping columns) => new(file, columns);

    /// <summary>True when a column holds strings, whose CLR type in Parquet.Net is ReadOnlyMemory of char.</summary>
    public static bool IsText(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>);

    /// <summary>Returns the innermost element of nested lists; the field itself when it is not a list.</summary>
    public static Field ElementOf(Field field) => field is ListField list ? ElementOf(list.Item) : field;

    /// <summary>Returns the category of a row; a class number is replaced by its name.</summary>
    public string? CategoryOf(IColumn column, int row)
    {
        if (CategoryNames is not { } names) return column.Text(row);
        // Datasets on the Hub mark a missing label by a class number out of range, usually -1.
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

/// <summary>A mapped column and its type.</summary>
internal sealed record MappedColumn(DataField Field, ColumnType Type)
{
    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public Task<IColumn> ReadAsync(ParquetFile file, int group, CancellationToken cancellationToken) => Type.ReadAsync(file, group, Field, cancellationToken);
}

using System.Globalization;
using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Sources;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>
/// Reads the mapped columns of a Parquet file, one row group at a time, column by column. Memory holds the values of a row group, the bytes
/// of one of its columns and the page being decompressed: for embedded images two to three times their size in the file with small pages,
/// and about six times where a writer such as DuckDB puts all of them in one page.
/// </summary>
internal static class ParquetRows
{
    // Limits how many strings are alive at a time: the strings of a large row group would survive garbage collections and be copied by
    // each.
    private const int BatchRows = 1000;

    /// <summary>
    /// Reads the taken rows of a unit in batches that do not span row groups, with at most so many images of each. When a column of a row
    /// group is damaged, the rows of that row group have a <see cref="DatasetRow.Fault"/>, and reading continues with the next row group.
    /// </summary>
    /// <exception cref="InvalidDataException">The stream is not a Parquet file, its footer is damaged, or rows of the unit are
    /// missing.</exception>
    /// <exception cref="RequestException">A column does not exist or has an unsuitable type.</exception>
    public static async IAsyncEnumerable<IReadOnlyList<DatasetRow>> ReadAsync(
        Stream file, ColumnMapping columns, IngestUnit unit, SplitRows split, int images,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var parquet = await ParquetFile.OpenAsync(file, cancellationToken, unit.FirstGroup);
        var fields = ResolvedMapping.Find(parquet, columns);
        var end = unit.Start + unit.Count;
        if (end > unit.FileStart + parquet.RowCount)
            throw new InvalidDataException($"it has {parquet.RowCount} rows, and {end - unit.FileStart} are to be read");
        var groupStart = unit.FileStart;
        for (var group = 0; group < parquet.RowGroups.Count && groupStart < end; group++)
        {
            var groupEnd = groupStart + parquet.RowGroups[group].NumRows;
            var (first, last) = (Math.Max(groupStart, unit.Start), Math.Min(groupEnd, end));
            if (first < last && split.TakenBefore(last) > split.TakenBefore(first))
            {
                var taken = new List<int>();
                for (var row = first; row < last; row++)
                    if (split.Takes(row)) taken.Add((int)(row - groupStart));
                var rowAt = await ReadGroupAsync(parquet, fields, group, groupStart, taken, images, cancellationToken);
                foreach (var batch in taken.Chunk(BatchRows)) yield return Array.ConvertAll(batch, rowAt);
            }
            groupStart = groupEnd;
        }
    }

    /// <returns>A function that returns a row by its index in the row group.</returns>
    private static async Task<Converter<int, DatasetRow>> ReadGroupAsync(
        ParquetFile file, ResolvedMapping fields, int group, long groupStart, List<int> taken, int mostImages,
        CancellationToken cancellationToken)
    {
        try
        {
            var images = await fields.Image.ReadAsync(file, group, taken, cancellationToken);
            var title = await ReadAsync(file, group, fields.Title, cancellationToken);
            var category = await ReadAsync(file, group, fields.Category, cancellationToken);
            var price = await ReadAsync(file, group, fields.Price, cancellationToken);
            var product = await ReadAsync(file, group, fields.Product, cancellationToken);
            var fault = await ReadAsync(file, group, fields.Fault, cancellationToken);
            var others = new List<(MappedField Field, IColumn Column)>();
            foreach (var field in fields.Others) others.Add((field, await field.Column.ReadAsync(file, group, cancellationToken)));
            return row =>
            {
                var (bytes, url) = images.First(row);
                var number = price?.Number(row);
                var read = new DatasetRow(groupStart + row, url, bytes, Said(title?.Text(row)),
                    category is null ? null : Said(fields.CategoryOf(category, row)), number, Said(product?.Text(row)))
                {
                    Currency = fields.Price is { Type.IsText: true } ? PriceCurrency.Of(price!.Text(row)) : null,
                    PriceText = number is null || double.IsFinite(number.Value) ? null : price!.Text(row),
                    MoreImages = mostImages == 1 ? [] : images.Further(row, mostImages - 1),
                    Fault = fault?.Text(row),
                };
                return others.Count == 0 ? read
                    : read.With(others.Select(other => (other.Field.Definition, other.Field.Read(other.Column, row))));
            };
        }
        catch (DamagedColumnException e)
        {
            return row => new DatasetRow(groupStart + row, null, null, null, null, null, null) { Fault = e.Message };
        }
    }

    private static async Task<IColumn?> ReadAsync(ParquetFile file, int group, MappedColumn? column, CancellationToken cancellationToken) =>
        column is null ? null : await column.ReadAsync(file, group, cancellationToken);

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}

/// <summary>A row of the dataset, with the mapped columns only.</summary>
/// <param name="Row">Index of the row in its split.</param>
/// <param name="ImageUrl">URL of the image; null when it is embedded.</param>
/// <param name="ImageBytes">The image file, when embedded.</param>
/// <param name="Price">The price; NaN or infinite when the value is not a valid number.</param>
/// <param name="Product">Value of the product column; null when no such column is mapped.</param>
internal sealed record DatasetRow(long Row, string? ImageUrl, ReadOnlyMemory<byte>? ImageBytes, string? Title, string? Category,
    double? Price, string? Product)
{
    /// <summary>
    /// Reason why the row could not be read, such as column and page; the members that the model learns from may be null then.
    /// </summary>
    public string? Fault { get; init; }

    /// <summary>One of <see cref="Rejection"/>, for a row with a fault.</summary>
    public string FaultReason { get; init; } = Rejection.UnreadableRow;

    /// <summary>Original text of the price, when it is not a number.</summary>
    public string? PriceText { get; init; }

    /// <summary>Currency that the price's text names; null when it names none.</summary>
    public string? Currency { get; init; }

    /// <summary>Images besides the first, each embedded or at a URL.</summary>
    public IReadOnlyList<(ReadOnlyMemory<byte>? Bytes, string? Url)> MoreImages { get; init; } = [];

    /// <summary>Values of the further fields; null for none.</summary>
    public FieldValues? Fields { get; init; }

    /// <summary>Returns the row with its further fields; the first value that its field cannot have becomes the row's fault.</summary>
    /// <param name="values">The values as they were found, or null, of each field.</param>
    public DatasetRow With(IEnumerable<(FieldDefinition Field, FieldValue? Value)> values)
    {
        var (row, known) = (this, new List<KeyValuePair<string, FieldValue?>>());
        foreach (var (field, found) in values)
        {
            if (found is null) continue;
            if (FieldText.Fault(field, found) is { } fault)
            {
                if (row.Fault is null) row = row with { Fault = fault.Detail, FaultReason = fault.Reason };
            }
            else known.Add(KeyValuePair.Create(field.Name, FieldText.Clean(found)));
        }
        return row with { Fields = FieldValues.Of(known) };
    }
}

/// <summary>The mapped columns of a Parquet file, with checked types. Of a list column, the first value that is not null is used.</summary>
internal sealed class ResolvedMapping
{
    private const string Texts = "a string, a number, a date or a list of one of them";
    private const string Numbers = "a number, a string with one or a list of one of them";

    private const string Classes =
        "a string, a boolean, an integer (whose classes may have names in the file's metadata) or a list of one of them";

    private ResolvedMapping(ParquetFile file, ColumnMapping columns)
    {
        var image = Top(file, columns.Image, "image");
        Image = ImageColumn.Find(file, image) ?? throw Unfit(file, "image", image,
            "a string with an URL, binary with the image's bytes, a struct with both (bytes and path), or a list of one of them", "image");
        Title = Find(file, columns.Title, "title", Texts, _ => true);
        Category = Find(file, columns.Category, "category", Classes, type => type.IsText || type.IsInteger || type.IsBoolean);
        CategoryNames = NamesOf(file, Category, columns.Category);
        Price = Find(file, columns.Price, "price", Numbers, type => type.IsNumber || type.IsText);
        Product = Find(file, columns.Product, "product", "a string, an integer or a list of one of them",
            type => type.IsText || type.IsInteger);
        Others = [.. columns.FurtherColumns.Select(field => Find(file, field.Key, field.Value))];
        Fault = file.Schema.Fields.OfType<DataField>().FirstOrDefault(field => field.Name == TableWriter.FaultColumn) is { } fault
            && ColumnType.Find(file, fault) is { IsText: true } text ? new MappedColumn(fault, text) : null;
    }

    public ImageColumn Image { get; }

    public MappedColumn? Title { get; }

    public MappedColumn? Category { get; }

    /// <summary>Class names of an integer category column; null when it has none.</summary>
    public IReadOnlyList<string>? CategoryNames { get; }

    public MappedColumn? Price { get; }

    /// <summary>The column that identifies the product.</summary>
    public MappedColumn? Product { get; }

    /// <summary>The fields besides title, category and price.</summary>
    public IReadOnlyList<MappedField> Others { get; }

    /// <summary>The column with the reasons why rows could not be read when their table was converted; null for none.</summary>
    public MappedColumn? Fault { get; }

    /// <exception cref="RequestException">A column does not exist or has an unsuitable type.</exception>
    public static ResolvedMapping Find(ParquetFile file, ColumnMapping columns) => new(file, columns);

    /// <summary>True when a column holds strings.</summary>
    public static bool IsText(ParquetFile file, DataField field) => file.StoredTypeOf(field) is { Kind: StoredKind.Text };

    /// <summary>Returns the innermost element of nested lists; the field itself when it is not a list.</summary>
    public static Field ElementOf(Field field) => field is ListField list ? ElementOf(list.Item) : field;

    /// <summary>Returns the category of a row; a class number is replaced by its name.</summary>
    public string? CategoryOf(IColumn column, int row) => NameOf(column.Text(row), CategoryNames);

    /// <summary>Returns the name of a class; the text itself in a column whose classes have no names.</summary>
    public static string? NameOf(string? text, IReadOnlyList<string>? names)
    {
        if (names is null) return text;
        // Datasets on the Hub mark a missing label by a class number out of range, usually -1.
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code)
            && code >= 0 && code < names.Count ? names[code] : null;
    }

    private static MappedField Find(ParquetFile file, string name, FieldColumn field)
    {
        var column = field.Kind switch
        {
            FieldKind.Number => Column("number", Numbers, type => type.IsNumber || type.IsText),
            FieldKind.Category => Column("category", Classes, type => type.IsText || type.IsInteger || type.IsBoolean),
            FieldKind.List => Column("list", Texts, _ => true),
            _ => Column("text", Texts, _ => true),
        };
        return new MappedField(new FieldDefinition(name, field.Kind, field.Unit), column, NamesOf(file, column, field.Column));

        MappedColumn Column(string role, string wanted, Func<ColumnType, bool> fits) =>
            Find(file, field.Column, role, wanted, fits, $"fields.{name}.column")!;
    }

    private static IReadOnlyList<string>? NamesOf(ParquetFile file, MappedColumn? column, string? name) =>
        column is { Type.IsInteger: true } ? file.Features.Of(name!)?.Names : null;

    private static MappedColumn? Find(
        ParquetFile file, string? name, string role, string wanted, Func<ColumnType, bool> fits, string? member = null)
    {
        if (name is null) return null;
        var field = Top(file, name, member ?? role);
        return ElementOf(field) is DataField data && ColumnType.Find(file, data) is { } type && fits(type)
            ? new MappedColumn(data, type)
            : throw Unfit(file, role, field, wanted, member ?? role);
    }

    private static Field Top(ParquetFile file, string name, string member) =>
        file.Schema.Fields.FirstOrDefault(f => f.Name == name) ?? throw new RequestException($"dataset.columns.{member}", 400,
            $"the dataset has no column '{name}'; its columns are: {string.Join(", ", file.Columns.Select(f => f.Name))}");

    private static RequestException Unfit(ParquetFile file, string role, Field field, string wanted, string member) =>
        new($"dataset.columns.{member}", 400, $"the column '{field.Name}' is of type {ArrowTypeName.Of(file, field)}; "
            + $"{(role is "image" ? "an" : "a")} {role} column is {wanted}");
}

/// <summary>A mapped column and its type.</summary>
internal sealed record MappedColumn(DataField Field, ColumnType Type)
{
    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public Task<IColumn> ReadAsync(ParquetFile file, int group, CancellationToken cancellationToken) =>
        Type.ReadAsync(file, group, Field, cancellationToken);
}

/// <summary>A field besides title, category and price, and its column.</summary>
/// <param name="Names">Class names of an integer column; null when it has none.</param>
internal sealed record MappedField(FieldDefinition Definition, MappedColumn Column, IReadOnlyList<string>? Names)
{
    private static readonly char[] Separators = [';', '|'];

    /// <summary>Returns the value of a row: a text in place of what is no number but should be one, null when the row has none.</summary>
    /// <param name="column">The field's column of the row group.</param>
    public FieldValue? Read(IColumn column, int row) => Definition.Kind switch
    {
        FieldKind.Number => NumberOf(column, row),
        FieldKind.List when Column.Field.MaxRepetitionLevel == 0 => ValueOf(NameOf(column.Text(row))?.Split(Separators)),
        FieldKind.List => ValueOf(column.Texts(row).Select(NameOf).OfType<string>()),
        _ => NameOf(column.Text(row)) is { } text ? new FieldValue(text) : null,
    };

    private static FieldValue? ValueOf(IEnumerable<string>? items) => items is null ? null : new FieldValue(items);

    private FieldValue? NumberOf(IColumn column, int row)
    {
        if (column.Text(row) is not { } text) return null;
        var number = Column.Type.IsText ? PriceText.Parse(text, Definition.Unit) : column.Number(row);
        return number is null ? null : double.IsFinite(number.Value) ? new FieldValue(number.Value) : new FieldValue(text);
    }

    private string? NameOf(string? text) => ResolvedMapping.NameOf(text, Names);
}

/// <summary>
/// Source of a row's image: embedded bytes, a URL, or either, as in the Hub's Image feature <c>struct&lt;bytes, path&gt;</c>, whose path is
/// used when bytes are null. Of a list, the images that are not null are used: the embedded ones, or the URLs where none is embedded.
/// </summary>
/// <param name="Bytes">The binary column with embedded images; null when there is none.</param>
/// <param name="Url">The text column with URLs; null when there is none.</param>
internal sealed record ImageColumn(DataField? Bytes, DataField? Url)
{
    /// <summary>Finds the source of images in a column; null when its type cannot hold images.</summary>
    public static ImageColumn? Find(ParquetFile file, Field column) => column switch
    {
        ListField list => Find(file, list.Item),
        DataField text when ResolvedMapping.IsText(file, text) => new ImageColumn(null, text),
        DataField binary when IsBinary(file, binary) => new ImageColumn(binary, null),
        StructField { Fields: var fields } => Find(
            fields.OfType<DataField>().FirstOrDefault(field => field.Name == "bytes" && IsBinary(file, field)),
            fields.OfType<DataField>().FirstOrDefault(field => field.Name == "path" && ResolvedMapping.IsText(file, field))),
        _ => null,
    };

    /// <summary>Reads the images of the given rows of a row group; reads the URL column only when an image is not embedded.</summary>
    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public async Task<RowImages> ReadAsync(
        ParquetFile file, int group, IReadOnlyList<int> rows, CancellationToken cancellationToken)
    {
        var bytes = Bytes is null ? null : await file.ReadAsync<ReadOnlyMemory<byte>>(group, Bytes, cancellationToken);
        var urls = Url is null || (bytes is not null && rows.All(row => bytes[row] is not null)) ? null
            : await file.ReadAsync<ReadOnlyMemory<byte>>(group, Url, cancellationToken);
        return new RowImages(bytes, urls);
    }

    private static ImageColumn? Find(DataField? bytes, DataField? path) => bytes is null ? null : new ImageColumn(bytes, path);

    private static bool IsBinary(ParquetFile file, DataField field) =>
        field.ClrType == typeof(ReadOnlyMemory<byte>) && file.StoredTypeOf(field) is null;
}

/// <summary>Images of the rows of a row group.</summary>
internal sealed class RowImages(ColumnValues<ReadOnlyMemory<byte>>? bytes, ColumnValues<ReadOnlyMemory<byte>>? urls)
{
    /// <summary>Returns the first image of a row; neither bytes nor URL when the row has none.</summary>
    public (ReadOnlyMemory<byte>? Bytes, string? Url) First(int row) =>
        bytes?[row] is { } embedded ? (embedded, null) : (null, urls?[row] is { } url ? StoredType.TextOf(url) : null);

    /// <summary>Returns at most so many of the images after the first.</summary>
    public IReadOnlyList<(ReadOnlyMemory<byte>? Bytes, string? Url)> Further(int row, int most)
    {
        var images = new List<(ReadOnlyMemory<byte>?, string?)>();
        if (bytes?[row] is not null) foreach (var image in After(bytes)) images.Add((image, null));
        else if (urls?[row] is not null) foreach (var url in After(urls)) images.Add((null, StoredType.TextOf(url)));
        return images;

        ReadOnlySpan<ReadOnlyMemory<byte>> After(ColumnValues<ReadOnlyMemory<byte>> values) =>
            values.All(row)[1..] is var more && more.Length > most ? more[..most] : more;
    }
}

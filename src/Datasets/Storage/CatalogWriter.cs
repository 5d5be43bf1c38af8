using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>Writes every row of a dataset view with its row status as a table: CSV for people, Parquet for programs.</summary>
internal sealed class CatalogWriter : IAsyncDisposable
{
    private const int GroupRows = 5000;

    private static readonly (string Name, Func<ManifestRow, DatasetBlobs, string?> Value)[] Texts =
    [
        ("source_split", (r, _) => r.SourceSplit),
        ("split", (r, _) => r.Split),
        ("state", (r, _) => r.State.ToString().ToLowerInvariant()),
        ("reason", (r, _) => r.Reason),
        ("detail", (r, _) => r.Detail),
        ("sha256", (r, _) => r.Sha256),
        ("blob", (r, dataset) => r.Sha256 is { } sha ? $"{Containers.Datasets}/{dataset.Image(sha)}" : null),
        ("image_url", (r, _) => r.ImageUrl),
        ("product", (r, _) => r.Product),
        ("merged_into", (r, _) => r.MergedInto),
        ("title", (r, _) => r.Title),
        ("category", (r, _) => r.Category),
    ];

    private static readonly (string Name, Func<ManifestRow, long> Value)[] Numbers =
    [
        ("row", r => r.Row),
        ("bytes", r => r.Bytes),
        ("width", r => r.Width),
        ("height", r => r.Height),
        ("images", r => r.Images.Count),
    ];

    private readonly StreamWriter _csv;
    private readonly ParquetWriter _parquet;
    private readonly DataField[] _texts;
    private readonly DataField[] _numbers;
    private readonly FieldDefinition[] _fields;
    private readonly DataField[] _values;
    private readonly DatasetBlobs _dataset;
    private readonly List<ManifestRow> _rows = [];

    private CatalogWriter(StreamWriter csv, ParquetWriter parquet, DataField[] texts, DataField[] numbers, FieldDefinition[] fields,
        DataField[] values, DatasetBlobs dataset)
    {
        _csv = csv;
        _parquet = parquet;
        _texts = texts;
        _numbers = numbers;
        _fields = fields;
        _values = values;
        _dataset = dataset;
    }

    /// <summary>Creates a catalog on two streams, which stay open.</summary>
    /// <param name="columns">The columns that were read, of which further fields get a column named <c>field_{name}</c>.</param>
    public static async Task<CatalogWriter> CreateAsync(Stream csv, Stream parquet, DatasetBlobs dataset, ColumnMapping columns)
    {
        // The prefix keeps a field such as width apart from the columns of the rows' own.
        FieldDefinition[] fields = [new(FieldDefinition.Price, FieldKind.Number), .. columns.Further];
        DataField[] values =
            [.. fields.Select(field => Column(field, field.Name == FieldDefinition.Price ? field.Name : $"field_{field.Name}"))];
        DataField[] texts = [.. Texts.Select(c => new DataField<string>(c.Name))];
        DataField[] numbers = [.. Numbers.Select(c => new DataField<long>(c.Name))];
        var schema = new ParquetSchema([.. numbers, .. texts, .. values]);
        var writer = await ParquetWriter.CreateAsync(schema, parquet,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        var text = new StreamWriter(csv, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\r\n" };
        await text.WriteLineAsync(string.Join(',', schema.Fields.Select(field => field.Name)));
        return new CatalogWriter(text, writer, texts, numbers, fields, values, dataset);
    }

    /// <summary>Adds the rows of a unit.</summary>
    public async Task AddAsync(IReadOnlyList<ManifestRow> rows)
    {
        foreach (var row in rows)
        {
            await _csv.WriteLineAsync(string.Join(',', Numbers.Select(c => c.Value(row).ToString(CultureInfo.InvariantCulture))
                .Concat(Texts.Select(c => Quoted(c.Value(row, _dataset))))
                .Concat(_fields.Select(field => row.ValueOf(field.Name) is { } value
                    ? value.Number?.ToString(CultureInfo.InvariantCulture) ?? Quoted(value.ToString())
                    : ""))));
        }
        _rows.AddRange(rows);
        if (_rows.Count >= GroupRows) await WriteGroupAsync();
    }

    /// <summary>Writes the buffered rows and closes both writers.</summary>
    public async ValueTask DisposeAsync()
    {
        await WriteGroupAsync();
        await _csv.DisposeAsync();
        await _parquet.DisposeAsync();
    }

    private async Task WriteGroupAsync()
    {
        if (_rows.Count == 0) return;
        using var group = _parquet.CreateRowGroup();
        foreach (var (field, column) in _numbers.Zip(Numbers)) await group.WriteAsync<long>(field, _rows.Select(column.Value).ToArray());
        foreach (var (field, column) in _texts.Zip(Texts))
            await group.WriteAsync(field, _rows.Select(row => column.Value(row, _dataset)).ToArray());
        foreach (var (column, field) in _values.Zip(_fields))
        {
            var values = _rows.Select(row => row.ValueOf(field.Name));
            if (field.Kind == FieldKind.Number) await group.WriteAsync<double>(column, values.Select(value => value?.Number).ToArray());
            else await group.WriteAsync(column, values.Select(value => value?.ToString()).ToArray());
        }
        group.CompleteValidate();
        _rows.Clear();
    }

    private static DataField Column(FieldDefinition field, string name) =>
        field.Kind == FieldKind.Number ? new DataField<double>(name, true) : new DataField<string>(name);

    private static string Quoted(string? text) =>
        text is null ? "" : text.AsSpan().IndexOfAny("\",\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

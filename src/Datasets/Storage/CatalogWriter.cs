using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

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
        ("title", (r, _) => r.Title),
        ("category", (r, _) => r.Category),
    ];

    private static readonly (string Name, Func<ManifestRow, long> Value)[] Numbers =
    [
        ("row", r => r.Row),
        ("bytes", r => r.Bytes),
        ("width", r => r.Width),
        ("height", r => r.Height),
    ];

    private readonly StreamWriter _csv;
    private readonly ParquetWriter _parquet;
    private readonly DataField[] _texts;
    private readonly DataField[] _numbers;
    private readonly DataField _price;
    private readonly DatasetBlobs _dataset;
    private readonly List<ManifestRow> _rows = [];

    private CatalogWriter(StreamWriter csv, ParquetWriter parquet, DataField[] texts, DataField[] numbers, DataField price, DatasetBlobs dataset)
    {
        (_csv, _parquet, _texts, _numbers, _price, _dataset) = (csv, parquet, texts, numbers, price, dataset);
    }

    /// <summary>Creates a catalog on two streams, which stay open.</summary>
    public static async Task<CatalogWriter> CreateAsync(Stream csv, Stream parquet, DatasetBlobs dataset)
    {
        DataField[] texts = [.. Texts.Select(c => new DataField<string>(c.Name))];
        DataField[] numbers = [.. Numbers.Select(c => new DataField<long>(c.Name))];
        var price = new DataField<double>("price", true);
        var writer = await ParquetWriter.CreateAsync(new ParquetSchema([.. numbers, .. texts, price]), parquet,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        var text = new StreamWriter(csv, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\r\n" };
        await text.WriteLineAsync(string.Join(',', [.. Numbers.Select(c => c.Name), .. Texts.Select(c => c.Name), "price"]));
        return new CatalogWriter(text, writer, texts, numbers, price, dataset);
    }

    /// <summary>Adds the rows of a unit.</summary>
    public async Task AddAsync(IReadOnlyList<ManifestRow> rows)
    {
        foreach (var row in rows)
            await _csv.WriteLineAsync(string.Join(',', Numbers.Select(c => c.Value(row).ToString(CultureInfo.InvariantCulture))
                .Concat(Texts.Select(c => Quoted(c.Value(row, _dataset))))
                .Append(row.Price?.ToString(CultureInfo.InvariantCulture) ?? "")));
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
        foreach (var (field, column) in _texts.Zip(Texts)) await group.WriteAsync(field, _rows.Select(row => column.Value(row, _dataset)).ToArray());
        await group.WriteAsync<double>(_price, _rows.Select(r => r.Price).ToArray());
        group.CompleteValidate();
        _rows.Clear();
    }

    private static string Quoted(string? text) =>
        text is null ? "" : text.AsSpan().IndexOfAny("\",\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

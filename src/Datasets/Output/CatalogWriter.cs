using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Writes every row of a dataset view, with its fate, as a table: CSV for people, Parquet for programs; a row group for each unit.
/// </summary>
internal sealed class CatalogWriter : IAsyncDisposable
{
    private static readonly (string Name, Func<ManifestRow, string?> Value)[] Texts =
    [
        ("source_split", r => r.SourceSplit),
        ("split", r => r.Split),
        ("state", r => r.State.ToString().ToLowerInvariant()),
        ("reason", r => r.Reason),
        ("detail", r => r.Detail),
        ("sha256", r => r.Sha256),
        ("image_url", r => r.ImageUrl),
        ("product", r => r.Product),
        ("title", r => r.Title),
        ("category", r => r.Category),
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

    private CatalogWriter(StreamWriter csv, ParquetWriter parquet, DataField[] texts, DataField[] numbers, DataField price)
    {
        (_csv, _parquet, _texts, _numbers, _price) = (csv, parquet, texts, numbers, price);
    }

    /// <summary>Starts a catalog on two streams, which stay open.</summary>
    public static async Task<CatalogWriter> CreateAsync(Stream csv, Stream parquet)
    {
        DataField[] texts = [.. Texts.Select(c => new DataField<string>(c.Name))];
        DataField[] numbers = [.. Numbers.Select(c => new DataField<long>(c.Name))];
        var price = new DataField<double>("price", true);
        var writer = await ParquetWriter.CreateAsync(new ParquetSchema([.. numbers, .. texts, price]), parquet,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        var text = new StreamWriter(csv, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\r\n" };
        await text.WriteLineAsync(string.Join(',', [.. Numbers.Select(c => c.Name), .. Texts.Select(c => c.Name), "price"]));
        return new CatalogWriter(text, writer, texts, numbers, price);
    }

    /// <summary>Adds the rows of a unit.</summary>
    public async Task AddAsync(IReadOnlyList<ManifestRow> rows)
    {
        if (rows.Count == 0) return;
        foreach (var row in rows)
            await _csv.WriteLineAsync(string.Join(',', Numbers.Select(c => c.Value(row).ToString(CultureInfo.InvariantCulture))
                .Concat(Texts.Select(c => Quoted(c.Value(row))))
                .Append(row.Price?.ToString(CultureInfo.InvariantCulture) ?? "")));
        using var group = _parquet.CreateRowGroup();
        foreach (var (field, column) in _numbers.Zip(Numbers)) await group.WriteAsync<long>(field, rows.Select(column.Value).ToArray());
        foreach (var (field, column) in _texts.Zip(Texts)) await group.WriteAsync(field, rows.Select(column.Value).ToArray());
        await group.WriteAsync<double>(_price, rows.Select(r => r.Price).ToArray());
        group.CompleteValidate();
    }

    public async ValueTask DisposeAsync()
    {
        await _csv.DisposeAsync();
        await _parquet.DisposeAsync();
    }

    private static string Quoted(string? text) =>
        text is null ? "" : text.AsSpan().IndexOfAny("\",\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

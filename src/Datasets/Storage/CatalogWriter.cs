using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
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
        DataField[] values = [.. fields.Select(field => Column(field, field.Name == FieldDefinition.Price ? field.Name : $"field_{field.Name}"))];
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

/// <summary>
/// Finds rows with the same image and labels as an earlier row in any unit of the dataset, and stores their indices per unit in blob
/// storage.
/// </summary>
internal sealed class DuplicateRows(BlobContainerClient container, DatasetBlobs dataset)
{
    // 128 bits of a hash per row: a dataset of ten million rows takes 300 MB.
    private readonly HashSet<UInt128> _seen = [];

    /// <summary>Marks the duplicates among the rows of the next unit; units must be passed in order.</summary>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IEnumerable<ManifestRow> rows,
        CancellationToken cancellationToken)
    {
        ManifestRow[] marked =
            [.. rows.Select(row => row.State == RowState.Stored && !_seen.Add(Key(row)) ? row with { State = RowState.Duplicate } : row)];
        var repeated = marked.Where(row => row.State == RowState.Duplicate).Select(row => row.Row).ToArray();
        if (repeated.Length == 0) return marked;
        await Blob(unit).CreateJsonAsync(repeated, PipelineJson.Compact, cancellationToken);
        return marked;
    }

    /// <summary>Reads the indices of a unit's duplicate rows.</summary>
    public Task<IReadOnlySet<long>> ReadAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        ReadAsync(Blob(unit), cancellationToken);

    /// <inheritdoc cref="ReadAsync(IngestUnit, CancellationToken)"/>
    /// <param name="unit">Name of the unit.</param>
    public Task<IReadOnlySet<long>> ReadAsync(string unit, CancellationToken cancellationToken) =>
        ReadAsync(container.GetBlobClient($"{dataset.DuplicateRows}{unit}.json"), cancellationToken);

    /// <summary>Lists the names of the units that have duplicate rows.</summary>
    public async Task<IReadOnlySet<string>> UnitsAsync(CancellationToken cancellationToken)
    {
        var options = new GetBlobsOptions { Prefix = dataset.DuplicateRows };
        return await container.GetBlobsAsync(options, cancellationToken).Select(blob => Path.GetFileNameWithoutExtension(blob.Name))
            .ToHashSetAsync(cancellationToken: cancellationToken);
    }

    private static async Task<IReadOnlySet<long>> ReadAsync(BlobClient blob, CancellationToken cancellationToken) =>
        await blob.ReadJsonAsync<HashSet<long>>(cancellationToken) ?? [];

    private BlobClient Blob(IngestUnit unit) => container.GetBlobClient(dataset.Duplicates(unit.Split, unit.Number));

    // Identifies image and labels: the first 128 bits of a SHA-256 over their JSON.
    private static UInt128 Key(ManifestRow row) =>
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Images = row.Images.Select(image => image.Sha256), row.Split, row.Product, row.Title, row.Category, row.Price, row.Fields,
            },
            PipelineJson.Compact)));
}

/// <summary>Summary of the catalog: the members of a report that derive from the rows alone.</summary>
public sealed record CatalogSummary
{
    public required RowCounts Counts { get; init; }

    public required IReadOnlyDictionary<string, long> Categories { get; init; }

    public required int CategoryCount { get; init; }

    public Distribution? Prices { get; init; }

    public IReadOnlyDictionary<string, FieldSummary>? Fields { get; init; }

    public Distribution? LongerSides { get; init; }

    public Distribution? FileSizes { get; init; }
}

/// <summary>Computes the summary of a dataset's rows.</summary>
/// <param name="columns">The columns that were read.</param>
internal sealed class CatalogSummaryBuilder(ColumnMapping columns)
{
    private const int CategoriesShown = 200;
    private const int ValuesShown = 50;

    private readonly ValueCounts _categories = new();
    private readonly Histogram _prices = new();
    private readonly Histogram _longerSides = new();
    private readonly Histogram _fileSizes = new();
    private readonly (FieldDefinition Field, ValueCounts Values, Histogram Numbers)[] _fields =
        [.. columns.Further.Select(field => (field, new ValueCounts(), new Histogram()))];

    private readonly Dictionary<string, long> _samples = [];
    private RowCounts _counts = new();

    public CatalogSummary Result => new()
    {
        Counts = _counts,
        Categories = _categories.Top(CategoriesShown),
        CategoryCount = _categories.Distinct,
        Prices = _prices.Result,
        Fields = _fields.Length == 0 ? null : _fields.ToDictionary(of => of.Field.Name, of => Summary(of.Field, of.Values, of.Numbers)),
        LongerSides = _longerSides.Result,
        FileSizes = _fileSizes.Result,
    };

    /// <summary>Adds the rows of a unit, with duplicates marked.</summary>
    public void Add(IReadOnlyList<ManifestRow> rows)
    {
        _counts = rows.Aggregate(_counts, (sum, row) => sum + ManifestStore.Count(row));
        foreach (var row in rows.Where(row => row.State == RowState.Stored))
        {
            if (row.Category is not null) _categories.Add(row.Category);
            if (row.Price is { } price) _prices.Add(price);
            foreach (var image in row.Images)
            {
                _longerSides.Add(Math.Max(image.Width, image.Height));
                _fileSizes.Add(image.Bytes);
            }
            foreach (var (field, values, numbers) in _fields)
            {
                if (row.ValueOf(field.Name) is not { } value) continue;
                _samples[field.Name] = _samples.GetValueOrDefault(field.Name) + 1;
                if (value.Number is { } number) numbers.Add(number);
                foreach (var text in value.Items ?? (value.Text is { } only ? [only] : [])) values.Add(text);
            }
        }
    }

    private FieldSummary Summary(FieldDefinition field, ValueCounts values, Histogram numbers)
    {
        var summary = new FieldSummary(field.Kind, field.Unit, _samples.GetValueOrDefault(field.Name));
        return field.Kind == FieldKind.Number
            ? summary with { Numbers = numbers.Result }
            : summary with { Values = values.Top(ValuesShown), ValueCount = values.Distinct };
    }
}

/// <summary>
/// Counts texts in bounded memory, by the algorithm of Misra and Gries (1982, https://doi.org/10.1016/0167-6423(82)90012-0): exactly up to
/// 10,000 distinct ones; of more, every text with at least a 10,000th of all additions is found, and counts are lower bounds.
/// </summary>
internal sealed class ValueCounts
{
    private const int Most = 10_000;

    // Longer texts are told apart by their beginning.
    private const int LongestText = 100;

    private readonly Dictionary<string, long> _counts = [];

    /// <summary>Number of distinct texts, of which at most 10,000 are counted.</summary>
    public int Distinct { get; private set; }

    public void Add(string text)
    {
        if (text.Length > LongestText) text = $"{text.AsSpan(0, char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText)}…";
        _counts[text] = _counts.GetValueOrDefault(text) + 1;
        Distinct = Math.Min(Math.Max(Distinct, _counts.Count), Most);
        if (_counts.Count <= Most) return;
        foreach (var (other, count) in _counts.ToList())
        {
            if (count == 1) _counts.Remove(other);
            else _counts[other] = count - 1;
        }
    }

    /// <summary>Returns the most frequent texts with their counts.</summary>
    public IReadOnlyDictionary<string, long> Top(int number) =>
        _counts.OrderByDescending(text => text.Value).ThenBy(text => text.Key, StringComparer.Ordinal).Take(number).ToDictionary();
}

/// <summary>Computes a histogram with the bin edges 0, 1, 2, 5, 10, 20, 50, … in constant memory.</summary>
internal sealed class Histogram
{
    private readonly SortedDictionary<double, (double To, long Count)> _bins = [];
    private double _min = double.PositiveInfinity;
    private double _max = double.NegativeInfinity;
    private double _sum;
    private long _count;

    /// <summary>The histogram; null when no number was added.</summary>
    public Distribution? Result => _count == 0
        ? null
        : new Distribution(_min, _sum / _count, _max,
            [.. _bins.Select(bin => new DistributionBin(bin.Key, bin.Value.To, bin.Value.Count))]);

    /// <param name="value">A number of 0 or more.</param>
    public void Add(double value)
    {
        var (from, to) = RangeOf(value);
        _bins[from] = (to, _bins.GetValueOrDefault(from).Count + 1);
        (_min, _max) = (Math.Min(_min, value), Math.Max(_max, value));
        _sum += value;
        _count++;
    }

    private static (double From, double To) RangeOf(double value)
    {
        if (value < 1) return (0, 1);
        var decade = Math.Pow(10, Math.Floor(Math.Log10(value)));
        // Log10 may be rounded down just below a power of ten, which gives the decade below.
        if (value >= decade * 10) decade *= 10;
        return (value / decade) switch
        {
            < 2 => (decade, decade * 2),
            < 5 => (decade * 2, decade * 5),
            _ => (decade * 5, decade * 10),
        };
    }
}

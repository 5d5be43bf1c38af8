using System.Globalization;
using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Rows;
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

/// <summary>
/// Finds rows with the same image and labels as an earlier row in any unit of the dataset, and stores their indices per unit in blob
/// storage. The memory needed does not grow with the dataset: each part of the catalog writes the keys of its rows, divided into
/// partitions; each partition finds the repeated keys of all parts, as equal keys are in the same one.
/// </summary>
internal sealed class DuplicateRows(BlobContainerClient container, DatasetBlobs dataset)
{
    /// <summary>Adds an entry for a stored row.</summary>
    public static void Add(PartitionedKeys keys, IngestUnit unit, ManifestRow row)
    {
        var entry = keys.Begin(PartitionedKeys.KeyOf(new
        {
            Images = row.Images.Select(image => image.Sha256), row.Split, row.Product, row.Title, row.Category, row.Price, row.Fields,
        }));
        entry.Write(unit.Number);
        entry.Write(row.Row);
    }

    /// <summary>Writes the entries of a part.</summary>
    public Task WriteKeysAsync(int part, PartitionedKeys keys, CancellationToken cancellationToken) =>
        keys.WriteAsync(container, partition => dataset.RowKeys(partition, part), cancellationToken);

    /// <summary>Finds the rows of a partition that repeat earlier rows. The keys of all parts must have been written.</summary>
    public async Task FindAsync(int partition, int parts, CancellationToken cancellationToken)
    {
        var seen = new HashSet<UInt128>();
        for (var part = 0; part < parts; part++)
        {
            using var entries = await PartitionedKeys.ReadAsync(
                container.GetBlobClient(dataset.RowKeys(partition, part)), cancellationToken);
            using var repeated = new MemoryStream();
            using var writer = new BinaryWriter(repeated);
            while (PartitionedKeys.ReadKey(entries) is { } key)
            {
                var (unit, row) = (entries.ReadInt32(), entries.ReadInt64());
                if (seen.Add(key)) continue;
                writer.Write(unit);
                writer.Write(row);
            }
            if (repeated.Length == 0) continue;
            repeated.Position = 0;
            await container.GetBlobClient(dataset.RepeatedRows(part, partition)).CreateAsync(
                repeated, "application/octet-stream", cancellationToken);
        }
    }

    /// <summary>Reads the repeated rows of a part by their units. All partitions must have been searched.</summary>
    public async Task<ILookup<int, long>> FoundAsync(int part, int partitions, CancellationToken cancellationToken)
    {
        var found = new List<(int Unit, long Row)>();
        for (var partition = 0; partition < partitions; partition++)
        {
            var blob = container.GetBlobClient(dataset.RepeatedRows(part, partition));
            if (await blob.FindContentAsync(cancellationToken) is not { } content) continue;
            using var rows = new BinaryReader(content.ToStream());
            while (rows.BaseStream.Position < rows.BaseStream.Length) found.Add((rows.ReadInt32(), rows.ReadInt64()));
        }
        return found.ToLookup(repeated => repeated.Unit, repeated => repeated.Row);
    }

    /// <summary>Marks the repeated rows of a unit, and stores their indices.</summary>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IReadOnlyList<ManifestRow> rows, IEnumerable<long> repeated,
        CancellationToken cancellationToken)
    {
        var indices = repeated.ToHashSet();
        if (indices.Count == 0) return rows;
        await Blob(unit).CreateJsonAsync(indices.Order(), PipelineJson.Compact, cancellationToken);
        return [.. rows.Select(row => indices.Contains(row.Row) ? row with { State = RowState.Duplicate } : row)];
    }

    /// <summary>Reads the indices of a unit's duplicate rows.</summary>
    public Task<IReadOnlySet<long>> ReadAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        ReadAsync(Blob(unit), cancellationToken);

    /// <inheritdoc cref="ReadAsync(IngestUnit, CancellationToken)"/>
    /// <param name="unit">Name of the unit.</param>
    public Task<IReadOnlySet<long>> ReadAsync(string unit, CancellationToken cancellationToken) =>
        ReadAsync(container.GetBlobClient($"{dataset.DuplicateRows}{unit}.json"), cancellationToken);

    /// <summary>Lists the names of the units that have duplicate rows.</summary>
    public Task<IReadOnlySet<string>> UnitsAsync(CancellationToken cancellationToken) =>
        container.FileNamesAsync(dataset.DuplicateRows, cancellationToken);

    private static async Task<IReadOnlySet<long>> ReadAsync(BlobClient blob, CancellationToken cancellationToken) =>
        await blob.ReadJsonAsync<HashSet<long>>(cancellationToken) ?? [];

    private BlobClient Blob(IngestUnit unit) => container.GetBlobClient(dataset.Duplicates(unit.Split, unit.Number));
}

/// <summary>
/// Summary of a part of the catalog, or of the complete one: the members of a report that derive from the rows alone. Summaries of parts
/// are merged by <see cref="CatalogSummaryBuilder.Add(CatalogSummary)"/>; their size is bounded.
/// </summary>
public sealed record CatalogSummary
{
    public required RowCounts Counts { get; init; }

    public required ValueCounts Categories { get; init; }

    public Distribution? Prices { get; init; }

    /// <summary>Values of the fields besides title, category and price, by name.</summary>
    public required IReadOnlyDictionary<string, FieldCounts> Fields { get; init; }

    public Distribution? LongerSides { get; init; }

    public Distribution? FileSizes { get; init; }

    /// <summary>Figures of a part that warnings are made of; null in the complete summary.</summary>
    public QualityFigures? Quality { get; init; }

    /// <summary>Defects of the data; null in the summary of a part.</summary>
    public IReadOnlyList<QualityWarning>? Warnings { get; init; }
}

/// <summary>Numbers of samples by value of a field.</summary>
/// <param name="Counts">The most frequent values, at most <see cref="Most"/>.</param>
/// <param name="AreAll">False when there are more values, so that counts may be too low.</param>
public sealed record ValueCounts(IReadOnlyDictionary<string, long> Counts, bool AreAll)
{
    /// <summary>Maximum number of values.</summary>
    public const int Most = 10_000;

    /// <summary>Returns the most frequent values.</summary>
    public IReadOnlyDictionary<string, long> Top(int most) => Counts
        .OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal).Take(most).ToDictionary();
}

/// <summary>Values of a field.</summary>
/// <param name="Samples">Number of samples that have the field.</param>
/// <param name="Values">Samples by value, or by item of a list; empty for numbers.</param>
/// <param name="Numbers">The numbers; null for other kinds.</param>
public sealed record FieldCounts(long Samples, ValueCounts Values, Distribution? Numbers)
{
    /// <summary>Returns the counts for a report, with the most frequent values only.</summary>
    public FieldSummary Summarize(FieldDefinition field, int mostValues)
    {
        var summary = new FieldSummary(field.Kind, field.Unit, Samples);
        return field.Kind == FieldKind.Number
            ? summary with { Numbers = Numbers }
            : summary with { Values = Values.Top(mostValues), ValueCount = Values.Counts.Count };
    }
}

/// <summary>Counts values in bounded memory: of more than twice <see cref="ValueCounts.Most"/> the rarer ones are forgotten.</summary>
internal sealed class ValueCounter
{
    // Longer values are told apart by their beginning.
    private const int LongestValue = 100;

    private Dictionary<string, long> _counts = [];
    private bool _areAll = true;

    public ValueCounts Result => new(MostFrequent(), _areAll && _counts.Count <= ValueCounts.Most);

    public void Add(string value, long samples = 1)
    {
        // A value that was cut has one character more, and is not cut again when it is merged.
        if (value.Length > LongestValue + 1) value = ShortText.Of(value, LongestValue);
        _counts[value] = _counts.GetValueOrDefault(value) + samples;
        if (_counts.Count <= 2 * ValueCounts.Most) return;
        (_counts, _areAll) = (MostFrequent(), false);
    }

    public void Add(ValueCounts counts)
    {
        foreach (var (value, samples) in counts.Counts) Add(value, samples);
        _areAll &= counts.AreAll;
    }

    private Dictionary<string, long> MostFrequent() =>
        _counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(ValueCounts.Most).ToDictionary();
}

/// <summary>Counts the values of one field.</summary>
internal sealed class FieldCounter
{
    private readonly ValueCounter _values = new();
    private readonly Histogram _numbers = new();
    private long _samples;

    public FieldCounts Result => new(_samples, _values.Result, _numbers.Result);

    public void Add(FieldValue value)
    {
        _samples++;
        if (value.Number is { } number) _numbers.Add(number);
        foreach (var text in value.Items ?? (value.Text is { } only ? [only] : [])) _values.Add(text);
    }

    public void Add(FieldCounts part)
    {
        _samples += part.Samples;
        _values.Add(part.Values);
        _numbers.Add(part.Numbers);
    }
}

/// <summary>Computes the summary of a dataset's rows.</summary>
/// <param name="columns">The columns that were read.</param>
internal sealed class CatalogSummaryBuilder(ColumnMapping columns)
{
    private readonly ValueCounter _categories = new();
    private readonly Histogram _prices = new();
    private readonly Histogram _longerSides = new();
    private readonly Histogram _fileSizes = new();
    private readonly QualityCollector _quality = new();
    private readonly Dictionary<string, FieldCounter> _fields = columns.Further.ToDictionary(field => field.Name, _ => new FieldCounter());
    private RowCounts _counts = new();

    public CatalogSummary Result => new()
    {
        Counts = _counts,
        Categories = _categories.Result,
        Prices = _prices.Result,
        Fields = _fields.ToDictionary(counted => counted.Key, counted => counted.Value.Result),
        LongerSides = _longerSides.Result,
        FileSizes = _fileSizes.Result,
        Quality = _quality.Result,
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
            foreach (var (name, counter) in _fields)
                if (row.ValueOf(name) is { } value) counter.Add(value);
            _quality.Add(row);
        }
    }

    /// <summary>Adds the summary of further rows.</summary>
    public void Add(CatalogSummary part)
    {
        _counts += part.Counts;
        _categories.Add(part.Categories);
        _prices.Add(part.Prices);
        _longerSides.Add(part.LongerSides);
        _fileSizes.Add(part.FileSizes);
        _quality.Add(part.Quality ?? QualityFigures.None);
        foreach (var (name, counts) in part.Fields) _fields[name].Add(counts);
    }
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

    /// <summary>Adds the numbers of another histogram; null for none.</summary>
    public void Add(Distribution? others)
    {
        if (others is null) return;
        foreach (var (from, to, numbers) in others.Bins) _bins[from] = (to, _bins.GetValueOrDefault(from).Count + numbers);
        (_min, _max) = (Math.Min(_min, others.Min), Math.Max(_max, others.Max));
        var count = others.Bins.Sum(bin => bin.Count);
        _sum += others.Mean * count;
        _count += count;
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

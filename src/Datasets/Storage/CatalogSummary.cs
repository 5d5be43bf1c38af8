using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Storage;

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

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Quality;

/// <summary>
/// Figures about the usable rows of a dataset, or of a part of it, from which <see cref="QualityWarnings"/> are made. Parts are merged by
/// <see cref="QualityCollector.Add(QualityFigures)"/>.
/// </summary>
public sealed record QualityFigures
{
    public static QualityFigures None { get; } = new();

    /// <summary>Number of images below <see cref="QualityWarnings.SmallSide"/> on a side.</summary>
    public long SmallImages { get; init; }

    /// <summary>Some of the rows with small images, as <c>{source split}/{row}</c>.</summary>
    public IReadOnlyList<string> SmallExamples { get; init; } = [];

    /// <summary>Rows by the currency of their price, where it is known.</summary>
    public IReadOnlyDictionary<string, long> Currencies { get; init; } = new Dictionary<string, long>();
}

/// <summary>Collects <see cref="QualityFigures"/> in bounded memory.</summary>
internal sealed class QualityCollector
{
    private const int MostExamples = 20;

    private readonly SortedDictionary<string, long> _currencies = new(StringComparer.Ordinal);
    private readonly List<string> _smallExamples = [];
    private long _smallImages;

    public QualityFigures Result => new()
    {
        SmallImages = _smallImages,
        SmallExamples = [.. _smallExamples],
        Currencies = new Dictionary<string, long>(_currencies),
    };

    /// <summary>Adds a usable row.</summary>
    public void Add(ManifestRow row)
    {
        if (Math.Min(row.Width, row.Height) < QualityWarnings.SmallSide) AddSmall(1, [$"{row.SourceSplit}/{row.Row}"]);
        if (PriceCurrency.Of(row) is { } currency) Add(currency, 1);
    }

    /// <summary>Adds the figures of a part.</summary>
    public void Add(QualityFigures part)
    {
        AddSmall(part.SmallImages, part.SmallExamples);
        foreach (var (currency, rows) in part.Currencies) Add(currency, rows);
    }

    private void AddSmall(long images, IReadOnlyList<string> examples)
    {
        _smallImages += images;
        _smallExamples.AddRange(examples.Take(MostExamples - _smallExamples.Count));
    }

    private void Add(string currency, long rows) => _currencies[currency] = _currencies.GetValueOrDefault(currency) + rows;
}

using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Quality;

/// <summary>Makes warnings of figures about a dataset, or about its first rows.</summary>
internal static class QualityWarnings
{
    /// <summary>Length in pixels that both sides of an image must have; the model sees a tile of 336 pixels at least.</summary>
    public const int SmallSide = 100;

    // A category is too frequent when it has more samples than this many times the median of the categories, or this share of all.
    private const int LargestRatio = 20;
    private const double LargestShare = 0.8;

    // Of fewer samples, shares say little.
    private const int FewestSamples = 50;

    private const int MostExamples = 20;

    /// <summary>Makes the warnings of a report.</summary>
    /// <param name="categories">Samples by value of each category field.</param>
    public static IReadOnlyList<QualityWarning> Of(
        QualityFigures figures, NearDuplicates alike, IReadOnlyList<(string Field, ValueCounts Values)> categories) =>
    [
        .. new[] { OfNearDuplicates(alike), MixedCurrencies(figures.Currencies), SmallImages(figures) }
            .Concat(categories.SelectMany(IEnumerable<QualityWarning?> (of) =>
            [
                Imbalance(of.Field, of.Values.Counts),
                // Where the rarest values were forgotten, those that appear once are among them.
                of.Values.AreAll ? SingleLabels(of.Field, of.Values.Counts) : ManyValues(of.Field, of.Values.Counts.Count),
            ])).OfType<QualityWarning>(),
    ];

    /// <summary>Makes the warnings that the first rows of a dataset allow, without their images.</summary>
    /// <param name="rows">The rows as text by column.</param>
    /// <param name="mapping">The columns that ingestion would read; null when they are unknown.</param>
    public static IReadOnlyList<QualityWarning> OfFirstRows(
        IReadOnlyList<IReadOnlyDictionary<string, string?>> rows, ColumnMapping? mapping)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"In the first {rows.Count:N0} rows: ");
        var warnings = new List<QualityWarning?>();
        var currencyColumns = rows.SelectMany(row => row.Keys).Distinct().Where(PriceCurrency.IsName).ToList();
        foreach (var column in currencyColumns)
            warnings.Add(MixedCurrencies(Counts(column, text => PriceCurrency.Of(text) ?? text.Trim())));
        if (currencyColumns.Count == 0 && mapping?.Price is { } price) warnings.Add(MixedCurrencies(Counts(price, PriceCurrency.Of)));
        // Some values that appear once are expected in a few rows; that most do is a sign of a column that is no category.
        if (mapping?.Category is { } category && Counts(category, text => text) is var categories
            && categories.Values.Sum() >= FewestSamples && categories.Values.Count(count => count == 1) * 2 > categories.Values.Sum())
            warnings.Add(SingleLabels(category, categories));
        return [.. warnings.OfType<QualityWarning>().Select(warning => warning with { Message = place + warning.Message })];

        Dictionary<string, long> Counts(string column, Func<string, string?> value) =>
            rows.Select(row => row.GetValueOrDefault(column)).OfType<string>().Where(text => !string.IsNullOrWhiteSpace(text))
                .Select(value).OfType<string>().CountBy(text => text).ToDictionary(count => count.Key, count => (long)count.Value);
    }

    private static QualityWarning? OfNearDuplicates(NearDuplicates alike)
    {
        var (images, pairs, leftOut) = alike;
        if (images == 0) return null;
        var compared = leftOut == 0 ? "" : Text($" Only the first {ImageHashes.Most:N0} images were compared.");
        return new QualityWarning(QualityProblem.NearDuplicates,
            Text($"{images:N0} images of the validation or test split look like one of another split (their perceptual hashes differ in ")
            + Text($"at most {PerceptualHash.LargestDistance} of 64 bits), so that figures on that split may be too good. ")
            + $"Map columns.product, so that images of a product are in the same split, or leave such rows out.{compared}", images)
        { Pairs = pairs };
    }

    private static QualityWarning? Imbalance(string field, IReadOnlyDictionary<string, long> categories)
    {
        var all = categories.Values.Sum();
        if (all < FewestSamples) return null;
        var most = categories.MaxBy(category => category.Value);
        var median = categories.Values.Order().ElementAt(categories.Count / 2);
        if (most.Value <= LargestRatio * median && most.Value <= LargestShare * all) return null;
        return new QualityWarning(QualityProblem.Imbalance,
            Text($"The value '{most.Key}' of '{field}' has {most.Value:N0} of {all:N0} samples, and the median of ")
            + Text($"{categories.Count:N0} values {median:N0}: a model may answer it without looking. Add samples of the others, or ")
            + "leave some of its rows out.", most.Value)
        { Examples = [most.Key] };
    }

    private static QualityWarning? SingleLabels(string field, IReadOnlyDictionary<string, long> values)
    {
        var single = values.Where(value => value.Value == 1).Select(value => value.Key).Order(StringComparer.Ordinal).ToList();
        if (single.Count == 0) return null;
        return new QualityWarning(QualityProblem.SingleLabels,
            Text($"{single.Count:N0} of {values.Count:N0} values of '{field}' appear once, so that they cannot be both learnt and ")
            + "measured. Map a column with broader values, or merge the rare ones.", single.Count)
        { Examples = [.. single.Take(MostExamples)] };
    }

    private static QualityWarning ManyValues(string field, int counted) => new(QualityProblem.ManyValues,
        Text($"'{field}' has more than {ValueCounts.Most:N0} values, of which the most frequent are counted. ")
        + "Map a column with fewer values, or learn this one as a text.", counted);

    private static QualityWarning? MixedCurrencies(IReadOnlyDictionary<string, long> currencies)
    {
        if (currencies.Count < 2) return null;
        var sorted = currencies.OrderByDescending(currency => currency.Value)
            .ThenBy(currency => currency.Key, StringComparer.Ordinal).ToList();
        var counts = string.Join(", ", sorted.Take(MostExamples).Select(currency => Text($"{currency.Key} {currency.Value:N0}")));
        return new QualityWarning(QualityProblem.MixedCurrencies,
            Text($"Prices are in {currencies.Count:N0} currencies ({counts}), and a price is learnt as a number without its currency. ")
            + "Keep the rows of one currency, or map a column with prices in one.", sorted.Skip(1).Sum(currency => currency.Value))
        { Examples = [.. sorted.Take(MostExamples).Select(currency => currency.Key)] };
    }

    private static QualityWarning? SmallImages(QualityFigures figures) => figures.SmallImages == 0 ? null
        : new QualityWarning(QualityProblem.SmallImages,
            Text($"{figures.SmallImages:N0} images are below {SmallSide} pixels on a side, and show the model little. ")
            + "Map a column with larger images, or leave such rows out.", figures.SmallImages)
        { Examples = figures.SmallExamples };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Baseline answers that use the training split's labels but no image.</summary>
/// <param name="Category">Most frequent category of the split; null when there is none.</param>
/// <param name="Price">Median price of the split; null when there is none.</param>
public sealed record Baselines(string? Category, double? Price)
{
    /// <summary>All categories of the split, the most frequent first.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Computes the baselines of a training split.</summary>
    public static Baselines Of(IEnumerable<SampleLabels> training)
    {
        var labels = training.ToList();
        var categories = labels.Select(l => l.Category).OfType<string>().CountBy(category => category, StringComparer.Ordinal)
            .OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal).Select(count => count.Key).ToList();
        var prices = labels.Select(l => l.Price).OfType<double>().ToList();
        return new Baselines(categories.FirstOrDefault(), Median(prices)) { Categories = categories };
    }

    /// <summary>Computes the median; null for no values.</summary>
    public static double? Median(IReadOnlyCollection<double> values)
    {
        if (values.Count == 0) return null;
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}

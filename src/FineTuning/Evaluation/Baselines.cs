using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>What one would answer knowing the training split but no image.</summary>
/// <param name="Category">Its most frequent category; null when it has none.</param>
/// <param name="Price">Its median price; null when it has none.</param>
public sealed record Baselines(string? Category, double? Price)
{
    /// <summary>All its categories.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>The baselines of a training split.</summary>
    public static Baselines Of(IEnumerable<SampleLabels> training)
    {
        var labels = training.ToList();
        var categories = labels.Select(l => l.Category).OfType<string>().CountBy(category => category, StringComparer.Ordinal)
            .OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal).Select(count => count.Key).ToList();
        var prices = labels.Select(l => l.Price).OfType<double>().ToList();
        return new Baselines(categories.FirstOrDefault(), Median(prices)) { Categories = categories };
    }

    /// <summary>The median; null of nothing.</summary>
    public static double? Median(IReadOnlyCollection<double> values)
    {
        if (values.Count == 0) return null;
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}

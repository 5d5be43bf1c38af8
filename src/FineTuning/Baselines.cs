using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>What one would answer knowing the training split but no image.</summary>
/// <param name="Category">Its most frequent category; null when it has none.</param>
/// <param name="Price">Its median price; null when it has none.</param>
public sealed record Baselines(string? Category, double? Price)
{
    /// <summary>The baselines of a training split.</summary>
    public static Baselines Of(IEnumerable<SampleLabels> training)
    {
        var labels = training.ToList();
        var category = labels.Where(l => l.Category is not null).GroupBy(l => l.Category!, StringComparer.Ordinal)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        return new Baselines(category, Median([.. labels.Select(l => l.Price).OfType<double>()]));
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

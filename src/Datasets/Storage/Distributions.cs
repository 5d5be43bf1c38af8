using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Computes a histogram with the bin edges 0, 1, 2, 5, 10, 20, 50, … in constant memory.</summary>
internal sealed class Distributions
{
    private readonly SortedDictionary<double, (double To, long Count)> _bins = [];
    private double _min = double.PositiveInfinity;
    private double _max = double.NegativeInfinity;
    private double _sum;
    private long _count;

    /// <summary>The histogram; null when no number was added.</summary>
    public Distribution? Result => _count == 0
        ? null
        : new Distribution(_min, _sum / _count, _max, [.. _bins.Select(bin => new DistributionBin(bin.Key, bin.Value.To, bin.Value.Count))]);

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

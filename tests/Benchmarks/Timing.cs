using System.Globalization;

namespace FunctionsPipeline.Benchmarks;

/// <summary>How long rounds of the same work took.</summary>
/// <param name="Milliseconds">Of each round.</param>
internal sealed record Timing(IReadOnlyList<double> Milliseconds)
{
    /// <summary>The middle round; the mean of the two middle ones where their number is even.</summary>
    public double Median
    {
        get
        {
            var sorted = Milliseconds.Order().ToArray();
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>The fastest round.</summary>
    public double Minimum => Milliseconds.Min();

    /// <summary>Number of rounds.</summary>
    public int Rounds => Milliseconds.Count;

    /// <summary>Median, fastest and number of rounds, as cells of a table.</summary>
    public IEnumerable<string> Cells => [Cell.Number(Median), Cell.Number(Minimum), Rounds.ToString(CultureInfo.InvariantCulture)];
}

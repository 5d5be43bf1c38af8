namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Result of comparing a recorded output with the computed one.</summary>
/// <param name="Output">Name of the output in the recording.</param>
/// <param name="Difference">Largest difference; for outputs that must be equal, the number of entries that differ.</param>
/// <param name="Tolerance">Largest allowed difference.</param>
/// <param name="Detail">Description of the first difference, for messages.</param>
public sealed record Comparison(string Output, double Difference, double Tolerance, string? Detail = null)
{
    /// <summary>True when the difference is within the tolerance; false for NaN.</summary>
    public bool Fits => Difference <= Tolerance;

    /// <summary>Compares entries that must be equal; the detail describes the first difference.</summary>
    public static Comparison Exact<T>(string output, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var (left, right) = (expected.ToList(), actual.ToList());
        if (left.Count != right.Count)
            return new Comparison(output, double.PositiveInfinity, 0, $"{right.Count} entries, but {left.Count} are recorded");
        var differing = Enumerable.Range(0, left.Count).Where(i => !EqualityComparer<T>.Default.Equals(left[i], right[i])).ToList();
        return new Comparison(output, differing.Count, 0,
            differing.Count == 0 ? null : $"entry {differing[0]} is {right[differing[0]]}, but {left[differing[0]]} is recorded");
    }
}

/// <summary>Report on one case.</summary>
/// <param name="Case">Name of the case: its folder, or another identification.</param>
/// <param name="NotChecked">Recorded outputs that were not compared, each with the reason.</param>
/// <param name="Problem">Reason why the case could not be read; null when it could.</param>
public sealed record CaseReport(
    string Case, IReadOnlyList<Comparison> Comparisons, IReadOnlyList<string> NotChecked, string? Problem = null)
{
    /// <summary>Creates the report of a case that could not be read.</summary>
    public static CaseReport Unreadable(string name, string problem) => new(name, [], [], problem);

    /// <summary>True when an output is out of tolerance.</summary>
    public bool Differs => Comparisons.Any(comparison => !comparison.Fits);
}

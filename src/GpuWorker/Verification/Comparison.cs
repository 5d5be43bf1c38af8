namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>A recorded output against the one computed here.</summary>
/// <param name="Output">Its name in the recording.</param>
/// <param name="Difference">The largest one; for outputs that must be equal, how many entries are not.</param>
/// <param name="Tolerance">What the difference may be.</param>
/// <param name="Detail">Where it differs, for a person.</param>
public sealed record Comparison(string Output, double Difference, double Tolerance, string? Detail = null)
{
    /// <summary>Not when the difference is no number.</summary>
    public bool Fits => Difference <= Tolerance;

    /// <summary>Entries that must be equal, with the first of those that are not as detail.</summary>
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

/// <summary>What a case came to.</summary>
/// <param name="Case">Its folder, or what else tells it from the others.</param>
/// <param name="NotChecked">What is recorded and was not compared, each with the reason.</param>
/// <param name="Problem">Why the case could not be read; null when it could.</param>
public sealed record CaseReport(
    string Case, IReadOnlyList<Comparison> Comparisons, IReadOnlyList<string> NotChecked, string? Problem = null)
{
    /// <summary>A case that could not be read.</summary>
    public static CaseReport Unreadable(string name, string problem) => new(name, [], [], problem);

    /// <summary>Whether an output is out of tolerance.</summary>
    public bool Differs => Comparisons.Any(comparison => !comparison.Fits);
}

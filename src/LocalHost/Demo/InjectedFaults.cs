using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>A fault that the sample hub injected: an entry of its <c>/faults</c>.</summary>
/// <param name="Kind">Such as <c>status-404</c>.</param>
/// <param name="Path">The path whose answers were spoilt.</param>
/// <param name="Count">How many of them.</param>
public sealed record InjectedFault(string Kind, string Path, int Count);

/// <summary>What the sample hub did to its answers, held against what became of the rows that were to get them.</summary>
/// <param name="faults">All that were injected.</param>
/// <param name="rows">All rows of the dataset.</param>
public sealed class InjectedFaults(IReadOnlyList<InjectedFault> faults, IReadOnlyList<ManifestRow> rows)
{
    private static readonly string[] Failures = [Rejection.DownloadFailed, Rejection.Timeout];

    // What heals must leave no trace; what does not must be told by its name.
    private static readonly Dictionary<string, Func<ManifestRow, bool>> Expected = new()
    {
        ["status-404"] = row => row.Reason == Rejection.NotFound,
        ["status-503"] = row => !Failures.Contains(row.Reason),
        ["stall"] = row => row.Reason == Rejection.Timeout,
        ["corrupt"] = row => row.Reason is Rejection.Corrupt or Rejection.Truncated or Rejection.NotAnImage,
        ["cut"] = row => !Failures.Contains(row.Reason),
    };

    private readonly ILookup<string, ManifestRow> _byPath = rows.Where(row => row.ImageUrl?.StartsWith("http", StringComparison.Ordinal) == true)
        .ToLookup(row => new Uri(row.ImageUrl!).AbsolutePath);

    /// <summary>How many paths each kind was injected in, and what became of the rows with images there.</summary>
    public IEnumerable<(string Kind, int Paths, string Outcomes)> Summary => faults.GroupBy(fault => fault.Kind).Select(kind => (
        kind.Key,
        kind.Count(),
        string.Join(", ", kind.SelectMany(fault => _byPath[fault.Path]).CountBy(row => row.Reason ?? "stored").OrderByDescending(outcome => outcome.Value)
            .Select(outcome => FormattableString.Invariant($"{outcome.Key} {outcome.Value}")))));

    /// <summary>Rows that did not come to what the fault of their image should have made of them.</summary>
    public IReadOnlyList<ManifestRow> Surprises =>
        [.. faults.SelectMany(fault => _byPath[fault.Path].Where(row => !Expected[fault.Kind](row)))];
}

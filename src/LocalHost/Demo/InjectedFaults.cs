using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Fault that the sample hub injected: an entry of <c>GET /faults</c>.</summary>
/// <param name="Kind">Kind of the fault, such as <c>status-404</c>.</param>
/// <param name="Path">URL path whose responses were affected.</param>
/// <param name="Count">Number of affected responses.</param>
public sealed record InjectedFault(string Kind, string Path, int Count);

/// <summary>Compares the faults that the sample hub injected with the row statuses that they should cause.</summary>
/// <param name="faults">All injected faults.</param>
/// <param name="rows">All rows of the dataset.</param>
public sealed class InjectedFaults(IReadOnlyList<InjectedFault> faults, IReadOnlyList<ManifestRow> rows)
{
    private static readonly string[] Failures = [Rejection.DownloadFailed, Rejection.Timeout];

    // Row status to expect per kind: transient faults must leave no trace, permanent ones must be rejected with their own reason.
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

    /// <summary>Number of paths per kind, with the statuses of the rows whose images have those paths.</summary>
    public IEnumerable<(string Kind, int Paths, string Outcomes)> Summary => faults.GroupBy(fault => fault.Kind).Select(kind => (
        kind.Key,
        kind.Count(),
        string.Join(", ", kind.SelectMany(fault => _byPath[fault.Path]).CountBy(row => row.Reason ?? "stored").OrderByDescending(outcome => outcome.Value)
            .Select(outcome => FormattableString.Invariant($"{outcome.Key} {outcome.Value}")))));

    /// <summary>Rows whose status does not match the fault of their image.</summary>
    public IReadOnlyList<ManifestRow> Surprises =>
        [.. faults.SelectMany(fault => _byPath[fault.Path].Where(row => !Expected[fault.Kind](row)))];
}

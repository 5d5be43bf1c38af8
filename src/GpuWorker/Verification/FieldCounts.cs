namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Counts the lines of a recording in which each field differs, and keeps the first difference of each.</summary>
internal sealed class FieldCounts
{
    private readonly Dictionary<string, (int Differing, string? First)> _fields = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _notCompared = new(StringComparer.Ordinal);

    /// <summary>Identifies the current line in messages.</summary>
    public string Line { get; set; } = "";

    public void Equal<T>(string field, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var comparison = Comparison.Exact(field, expected, actual);
        Count(field, comparison.Fits, comparison.Detail);
    }

    public void Equal(string field, string? expected, string actual) =>
        Count(field, expected == actual, $"\"{actual}\", but \"{expected}\" is recorded");

    public void Equal<T>(string field, T expected, T actual) where T : struct =>
        Count(field, EqualityComparer<T>.Default.Equals(expected, actual), $"{actual}, but {expected} is recorded");

    public void NotCompared(string field, string reason) => _notCompared[field] = reason;

    public IReadOnlyList<Comparison> Comparisons() =>
        [.. _fields.Select(field => new Comparison(field.Key, field.Value.Differing, 0, field.Value.First))];

    public IReadOnlyList<string> NotChecked() => [.. _notCompared.Select(field => $"{field.Key}: {field.Value}")];

    private void Count(string field, bool equal, string? detail)
    {
        var (differing, first) = _fields.GetValueOrDefault(field);
        _fields[field] = equal ? (differing, first) : (differing + 1, first ?? $"{Line}: {detail}");
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets;

/// <summary>The rows of a unit of the view that is retried: those that are taken as they are, and those that are read again.</summary>
internal sealed class UnitRetry
{
    private readonly List<ManifestRow> _kept;
    private readonly Dictionary<long, string> _reasons = [];

    /// <param name="rows">The unit's rows in the view that is retried.</param>
    public UnitRetry(IReadOnlyList<ManifestRow> rows, PlannedRetry retry)
    {
        foreach (var row in rows)
            if (row.Reason is { } reason && retry.Reasons.Contains(reason)) _reasons.TryAdd(row.Row, reason);
        _kept = [.. rows.Where(row => !_reasons.ContainsKey(row.Row))];
    }

    /// <summary>True when no row is read again.</summary>
    public bool IsEmpty => _reasons.Count == 0;

    /// <summary>Returns the part of the unit that has the rows to read.</summary>
    public IngestUnit PartOf(IngestUnit unit)
    {
        var (first, last) = (_reasons.Keys.Min(), _reasons.Keys.Max());
        return unit with { Start = first, Count = last + 1 - first };
    }

    /// <summary>True when a row is read again.</summary>
    public bool Reads(long row) => _reasons.ContainsKey(row);

    /// <summary>Returns the rows of the unit in their order.</summary>
    /// <param name="read">Statuses of the rows that were read again.</param>
    public IReadOnlyList<ManifestRow> Merge(IReadOnlyList<ManifestRow> read) => [.. _kept.Concat(read).OrderBy(row => row.Row)];

    /// <summary>Counts the rows that were read again and those that are usable now.</summary>
    /// <inheritdoc cref="Merge"/>
    public HealedRows Count(IReadOnlyList<ManifestRow> read) => new(_reasons.Count, read.GroupBy(row => row.Row)
        .Where(row => row.All(status => status.State == RowState.Stored)).CountBy(row => _reasons[row.Key]).ToDictionary(
            reason => reason.Key, reason => (long)reason.Value));
}

/// <summary>Counts of a retry; see <see cref="RetriedRows"/>.</summary>
internal sealed record HealedRows(long Rows, IReadOnlyDictionary<string, long> Healed)
{
    public static HealedRows operator +(HealedRows a, HealedRows b) => new(a.Rows + b.Rows, a.Healed.Concat(b.Healed)
        .GroupBy(reason => reason.Key).OrderBy(reason => reason.Key, StringComparer.Ordinal)
        .ToDictionary(reason => reason.Key, reason => reason.Sum(count => count.Value)));
}

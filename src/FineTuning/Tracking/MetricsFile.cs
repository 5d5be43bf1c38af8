using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Writes <c>runs/{run}/metrics.jsonl</c>, by appending complete lines.</summary>
internal sealed class MetricsFile(IRunStore store, string run) : ITracker
{
    private readonly string _name = new RunBlobs(run).Metrics;
    private readonly Lock _lock = new();
    private List<MetricsLine> _lines = [];

    /// <inheritdoc/>
    public void Record(MetricsLine line)
    {
        lock (_lock) _lines.Add(line);
    }

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<MetricsLine> lines;
        lock (_lock) (lines, _lines) = (_lines, []);
        if (lines.Count == 0) return;
        try
        {
            await store.AppendAsync(Containers.Runs, _name, JsonLines(lines), cancellationToken);
        }
        catch
        {
            lock (_lock) _lines.InsertRange(0, lines);
            throw;
        }
    }

    /// <summary>Truncates the file after a step, for a run that resumes from that step.</summary>
    /// <param name="step">Last step whose lines are kept; null removes all lines.</param>
    public static async Task CutAsync(IRunStore store, string run, int? step, CancellationToken cancellationToken)
    {
        var name = new RunBlobs(run).Metrics;
        if (await store.ReadAsync(Containers.Runs, name, cancellationToken) is not { } content) return;
        using var kept = new MemoryStream();
        // An append that was cut off leaves a line without its newline, which is dropped.
        for (var rest = content.AsMemory(); step is not null && rest.Span.IndexOf((byte)'\n') is >= 0 and var end; rest = rest[(end + 1)..])
        {
            var line = JsonSerializer.Deserialize<MetricsLine>(rest.Span[..end], PipelineJson.Compact)!;
            if (line.Step <= step) kept.Write(rest.Span[..(end + 1)]);
        }
        if (kept.Length == content.Length) return;
        // An append blob cannot be shortened, and only AppendAsync creates one: delete it and append the kept lines.
        await store.DeleteAsync(Containers.Runs, name, cancellationToken);
        if (kept.Length > 0) await store.AppendAsync(Containers.Runs, name, kept.ToArray(), cancellationToken);
    }

    private static byte[] JsonLines(IEnumerable<MetricsLine> lines)
    {
        using var buffer = new MemoryStream();
        foreach (var line in lines)
        {
            JsonSerializer.Serialize(buffer, line, PipelineJson.Compact);
            buffer.WriteByte((byte)'\n');
        }
        return buffer.ToArray();
    }
}

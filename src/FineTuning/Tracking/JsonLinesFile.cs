using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>A run's document of JSON lines, which grows by complete lines.</summary>
/// <param name="name">Name in the container of runs.</param>
internal sealed class JsonLinesFile<T>(IRunStore store, string name)
{
    private readonly Lock _lock = new();
    private List<T> _lines = [];

    /// <summary>Queues lines without blocking.</summary>
    public void Add(params IEnumerable<T> lines)
    {
        lock (_lock) _lines.AddRange(lines);
    }

    /// <summary>Appends the queued lines together. Never called concurrently; called again after a failure.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<T> lines;
        lock (_lock) (lines, _lines) = (_lines, []);
        if (lines.Count == 0) return;
        try
        {
            using var buffer = new MemoryStream();
            foreach (var line in lines)
            {
                JsonSerializer.Serialize(buffer, line, PipelineJson.Compact);
                buffer.WriteByte((byte)'\n');
            }
            await store.AppendAsync(Containers.Runs, name, buffer.ToArray(), cancellationToken);
        }
        catch
        {
            lock (_lock) _lines.InsertRange(0, lines);
            throw;
        }
    }

    /// <summary>Removes lines of an earlier attempt of the run, which the next one writes again.</summary>
    /// <param name="isKept">True for the lines to keep.</param>
    public async Task CutAsync(Func<T, bool> isKept, CancellationToken cancellationToken)
    {
        if (await store.ReadAsync(Containers.Runs, name, cancellationToken) is not { } content) return;
        using var kept = new MemoryStream();
        foreach (var line in Lines(content).Where(line => isKept(line.Value))) kept.Write(line.Text.Span);
        if (kept.Length == content.Length) return;
        // An append blob cannot be shortened, and only AppendAsync creates one: delete it and append the kept lines.
        await store.DeleteAsync(Containers.Runs, name, cancellationToken);
        if (kept.Length > 0) await store.AppendAsync(Containers.Runs, name, kept.ToArray(), cancellationToken);
    }

    /// <summary>Reads the lines that storage has, without queued ones.</summary>
    public async Task<IReadOnlyList<T>> ReadAsync(CancellationToken cancellationToken) =>
        [.. Lines(await store.ReadAsync(Containers.Runs, name, cancellationToken)).Select(line => line.Value)];

    private static IEnumerable<(T Value, ReadOnlyMemory<byte> Text)> Lines(ReadOnlyMemory<byte> content)
    {
        // An append that was cut off leaves a line without its newline, which is dropped.
        for (var rest = content; rest.Span.IndexOf((byte)'\n') is >= 0 and var end; rest = rest[(end + 1)..])
            yield return (JsonSerializer.Deserialize<T>(rest.Span[..end], PipelineJson.Compact)!, rest[..(end + 1)]);
    }
}

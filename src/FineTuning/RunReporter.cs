using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Writes a run's heartbeat and metrics from the background every few seconds, so that computing never waits for storage.
/// A write that fails is tried again at the next beat; only the last one may fail the run.
/// </summary>
internal sealed class RunReporter : IAsyncDisposable
{
    private readonly IRunStore _store;
    private readonly RunBlobs _blobs;
    private readonly TimeProvider _time;
    private readonly IProgress<Heartbeat>? _progress;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private List<MetricsLine> _lines = [];
    private Heartbeat _heartbeat;

    public RunReporter(IRunStore store, string run, TimeSpan interval, TimeProvider time, IProgress<Heartbeat>? progress, ILogger logger)
    {
        (_store, _blobs, _time, _progress, _logger) = (store, new RunBlobs(run), time, progress, logger);
        _heartbeat = new Heartbeat { Run = run, At = time.GetUtcNow(), Phase = "loading" };
        _loop = BeatAsync(interval);
    }

    /// <summary>Changes what the next beat says.</summary>
    public void Update(Func<Heartbeat, Heartbeat> change)
    {
        lock (_lock) _heartbeat = change(_heartbeat);
    }

    /// <summary>Adds a line to the metrics.</summary>
    public void Record(MetricsLine line)
    {
        lock (_lock) _lines.Add(line);
    }

    /// <summary>Begins a phase: counters of the phase before are gone.</summary>
    public void Enter(string phase) => Update(h => h with { Phase = phase, EtaSeconds = null, SamplesPerSecond = null });

    /// <summary>Writes everything that is not written yet.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await WriteAsync(cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Stops the beat. Nothing more is written.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _writing.Dispose();
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        Heartbeat heartbeat;
        List<MetricsLine> lines;
        lock (_lock)
        {
            heartbeat = _heartbeat with { At = _time.GetUtcNow() };
            (lines, _lines) = (_lines, []);
        }
        _progress?.Report(heartbeat);
        try
        {
            if (lines.Count > 0) await _store.AppendAsync(Containers.Runs, _blobs.Metrics, JsonLines(lines), cancellationToken);
        }
        catch
        {
            lock (_lock) _lines.InsertRange(0, lines);
            throw;
        }
        var document = JsonSerializer.SerializeToUtf8Bytes(heartbeat, PipelineJson.Options);
        await _store.WriteAsync(Containers.Runs, _blobs.Heartbeat, document, cancellationToken);
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

    private async Task BeatAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                try
                {
                    await FlushAsync(_stop.Token);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    _logger.ReportFailed(e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the run.
        }
    }
}

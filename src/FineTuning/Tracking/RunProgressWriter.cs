using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Writes a run's heartbeat, metrics and documents in the background every few seconds, so that the computation never waits for storage.
/// A failed write is retried at the next beat; only the last one may fail the run.
/// </summary>
internal sealed class RunProgressWriter : IAsyncDisposable
{
    // An append blob holds at most 50,000 blocks. Pauses of a thousandth of the run's age keep a month of training below 10,000 appends.
    private const int WritesOfAge = 1000;

    private readonly IRunStore _store;
    private readonly RunBlobs _blobs;
    private readonly TimeProvider _time;
    private readonly IProgress<Heartbeat>? _progress;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly IReadOnlyList<ITracker> _trackers;
    private readonly long _started;
    private readonly Task _loop;
    private long _documentsWritten;
    private IReadOnlyList<IRunDocument> _documents;
    private Heartbeat _heartbeat;

    /// <param name="trackers">Receivers of the metrics.</param>
    public RunProgressWriter(
        IRunStore store, string run, IReadOnlyList<ITracker> trackers, TimeSpan interval, TimeProvider time,
        IProgress<Heartbeat>? progress, ILogger logger)
    {
        _store = store;
        _blobs = new RunBlobs(run);
        _trackers = trackers;
        _documents = trackers;
        _time = time;
        _progress = progress;
        _logger = logger;
        _heartbeat = new Heartbeat { Run = run, At = time.GetUtcNow(), Phase = "loading" };
        _started = _documentsWritten = time.GetTimestamp();
        _loop = BeatAsync(interval);
    }

    /// <summary>State of the trackers besides the run's own documents.</summary>
    public IReadOnlyList<TrackerStatus> Trackers => [.. _trackers.Select(tracker => tracker.Status).OfType<TrackerStatus>()];

    /// <summary>Changes the heartbeat that is written at the next beat.</summary>
    public void Update(Func<Heartbeat, Heartbeat> change)
    {
        lock (_lock) _heartbeat = change(_heartbeat);
    }

    /// <summary>Removes what an earlier attempt wrote of later steps from every tracker.</summary>
    /// <inheritdoc cref="ITracker.CutAsync"/>
    public async Task CutAsync(int? step, CancellationToken cancellationToken)
    {
        foreach (var tracker in _trackers) await tracker.CutAsync(step, cancellationToken);
    }

    /// <summary>Records a line of metrics in every tracker.</summary>
    public void Record(MetricsLine line)
    {
        foreach (var tracker in _trackers) tracker.Record(line);
    }

    /// <summary>Records the gallery after a step in every tracker.</summary>
    public void Record(GalleryStep gallery)
    {
        foreach (var tracker in _trackers) tracker.Record(gallery);
    }

    /// <summary>Records the answers of an evaluation in every tracker.</summary>
    public void Record(EvaluationStep evaluation)
    {
        foreach (var tracker in _trackers) tracker.Record(evaluation);
    }

    /// <summary>Enters a phase and clears the counters of the phase before.</summary>
    public void EnterPhase(string phase) => Update(h => h with { Phase = phase, EtaSeconds = null, SamplesPerSecond = null });

    /// <summary>Adds a document that is written at every beat from now on.</summary>
    public void AddDocument(IRunDocument document)
    {
        lock (_lock) _documents = [.. _documents, document];
    }

    /// <summary>Writes everything that is pending.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => WriteAsync(documents: true, cancellationToken);

    /// <summary>Records the end of the run and writes everything that is pending.</summary>
    /// <param name="result">Result of the run; null when the run was stopped.</param>
    public async Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
    {
        // Together: two servers that do not answer must not take twice the time that a stopped run has.
        await Task.WhenAll(_trackers.Select(tracker => tracker.EndAsync(result, cancellationToken)));
        await FlushAsync(cancellationToken);
    }

    /// <summary>Stops the beat; nothing is written afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        foreach (var tracker in _trackers.OfType<IAsyncDisposable>()) await tracker.DisposeAsync();
        _stop.Dispose();
        _writing.Dispose();
    }

    private async Task WriteAsync(bool documents, CancellationToken cancellationToken)
    {
        // One write at a time: a flush may coincide with a beat, and appends must keep their order.
        await _writing.WaitAsync(cancellationToken);
        try
        {
            Heartbeat heartbeat;
            IReadOnlyList<IRunDocument> written;
            lock (_lock) (heartbeat, written) = (_heartbeat, documents ? _documents : []);
            heartbeat = heartbeat with
            {
                At = _time.GetUtcNow(),
                Trackers = Trackers,
            };
            _progress?.Report(heartbeat);
            // Started together, so that a failing write does not keep the others from running.
            var json = JsonSerializer.SerializeToUtf8Bytes(heartbeat, PipelineJson.Options);
            await Task.WhenAll(
            [
                .. written.Select(document => document.FlushAsync(cancellationToken)),
                _store.WriteAsync(Containers.Runs, _blobs.Heartbeat, json, cancellationToken),
            ]);
            if (documents) _documentsWritten = _time.GetTimestamp();
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task BeatAsync(TimeSpan interval)
    {
        // Ticks do not pile up: while a write takes longer than the interval, the timer keeps one tick at most.
        using var timer = new PeriodicTimer(interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                try
                {
                    var due = _time.GetElapsedTime(_documentsWritten) >= _time.GetElapsedTime(_started) / WritesOfAge;
                    await WriteAsync(due, _stop.Token);
                }
                // A time limit of the storage client is a cancellation too, and must not end the heartbeats.
                catch (Exception e) when (!_stop.IsCancellationRequested)
                {
                    _logger.ReportFailed(e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }
}

/// <summary>Part of a run's record that the computing thread fills and a background task writes.</summary>
internal interface IRunDocument
{
    /// <summary>Writes what is pending. Never called concurrently; called again after a failure.</summary>
    Task FlushAsync(CancellationToken cancellationToken);
}

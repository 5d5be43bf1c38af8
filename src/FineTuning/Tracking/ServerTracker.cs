using System.Threading.Channels;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Tracks a run on a server in the background. A slow or failing server costs records at worst, never the run: the queue is bounded and
/// drops its oldest entries, calls are repeated with growing pauses, warnings are rare, and the end of the run waits for a limited time.
/// </summary>
internal sealed class ServerTracker : ITracker, IAsyncDisposable
{
    private const int MostWaiting = 100_000;

    private readonly ITrackingServer _server;
    private readonly string _run;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TrackingTimes _times;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<TrackedRecord> _waiting =
        Channel.CreateBounded<TrackedRecord>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly Task _loop;
    private TrainingResult? _result;
    private volatile string? _problem;
    private long? _warned;
    private long _patientUntil;

    /// <param name="server">Belongs to the tracker from now on.</param>
    public ServerTracker(ITrackingServer server, string run, TimeProvider time, ILogger logger, TrackingTimes? times = null)
    {
        _server = server;
        _run = run;
        _time = time;
        _logger = logger;
        _times = times ?? new TrackingTimes();
        _loop = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public TrackerStatus Status => new(_server.Name, _server.Page, _problem);

    /// <inheritdoc/>
    public void Record(MetricsLine line) => _waiting.Writer.TryWrite(new TrackedRecord(_time.GetUtcNow(), line, null));

    /// <inheritdoc/>
    public void Record(GalleryStep gallery) => _waiting.Writer.TryWrite(new TrackedRecord(_time.GetUtcNow(), null, gallery));

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
    {
        _result = result;
        return FinishAsync();
    }

    /// <summary>Ends the tracking, as that of a stopped run unless <c>EndAsync</c> was called.</summary>
    public async ValueTask DisposeAsync()
    {
        await FinishAsync();
        _server.Dispose();
        _stop.Dispose();
    }

    private async Task FinishAsync()
    {
        var started = _time.GetTimestamp();
        Allow(_times.Silence);
        _waiting.Writer.TryComplete();
        // A machine that is taken away leaves little time. After a result the server has time for as long as it takes things.
        var longest = _result is null ? _times.Silence : _times.End;
        while (!_loop.IsCompleted)
        {
            var patience = new TimeSpan(Volatile.Read(ref _patientUntil)) - _time.GetElapsedTime(0);
            var left = longest - _time.GetElapsedTime(started);
            if (left > patience) left = patience;
            if (left <= TimeSpan.Zero)
            {
                _logger.TrackingIncomplete(_run, _server.Name, _server.Url);
                await _stop.CancelAsync();
                await _loop;
                _problem = $"Not everything got there before the run had to end. {_problem}".TrimEnd();
                return;
            }
            await Task.WhenAny(_loop, Task.Delay(left, _time));
        }
    }

    private async Task RunAsync()
    {
        try
        {
            if (!await _server.StartAsync(PersistAsync)) return;
            _logger.TrackedOn(_run, _server.Name, _server.Page ?? $"{_server.Url}");
            while (await HasRecordsAsync() is { } has)
            {
                var records = new List<TrackedRecord>();
                while (has && records.Count < _times.Together && _waiting.Reader.TryRead(out var record)) records.Add(record);
                await _server.SendAsync(records, PersistAsync);
                // The pause collects many records for one call, and ends early when no more will come.
                await Task.WhenAny(Task.Delay(_times.Pause, _time, _stop.Token), _waiting.Reader.Completion);
            }
            await _server.EndAsync(_result, PersistAsync);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The time limit at the end of the run has passed.
        }
        catch (Exception e)
        {
            // Any other failure must not stop the training run.
            _problem = e.Message;
            _logger.TrackingFailed(_server.Name, _server.Url, e.Message);
        }
    }

    /// <summary>Waits for records: false after the longest silence, null when no more will come.</summary>
    private async Task<bool?> HasRecordsAsync()
    {
        try
        {
            return await _waiting.Reader.WaitToReadAsync(_stop.Token).AsTask().WaitAsync(_server.LongestSilence, _time) ? true : null;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<bool> PersistAsync(Func<CancellationToken, Task> call, TimeSpan? timeLimit = null, int attempts = int.MaxValue)
    {
        var limit = timeLimit ?? _times.Call;
        if (timeLimit is not null) Allow(limit);
        // Repeats without a limit of its own: the bounded queue drops its oldest entries, and FinishAsync ends the repetition by _stop.
        for (var wait = _times.FirstWait; ; wait = TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, _times.LongestWait.Ticks)))
        {
            var asked = default(TimeSpan?);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            patience.CancelAfter(limit);
            try
            {
                await call(patience.Token);
                _problem = null;
                Allow(_times.Silence);
                return true;
            }
            catch (Exception e) when (
                !_stop.IsCancellationRequested && e is TrackingException or HttpRequestException or OperationCanceledException)
            {
                Warn(e is OperationCanceledException ? $"The server did not answer within {limit.TotalSeconds} seconds." : e.Message);
                if (e is TrackingException refusal)
                {
                    if (!refusal.IsPassing) return false;
                    asked = refusal.RetryAfter;
                }
            }
            if (--attempts == 0) return false;
            await Task.Delay(asked > wait ? asked.Value : wait, _time, _stop.Token);
        }
    }

    /// <summary>Lets the end of the run wait for the server for the given time from now on, or longer if it was allowed before.</summary>
    private void Allow(TimeSpan time)
    {
        var until = (_time.GetElapsedTime(0) + time).Ticks;
        if (until > Volatile.Read(ref _patientUntil)) Volatile.Write(ref _patientUntil, until);
    }

    private void Warn(string problem)
    {
        _problem = problem;
        if (_warned is { } last && _time.GetElapsedTime(last) < _times.BetweenWarnings) return;
        _warned = _time.GetTimestamp();
        _logger.TrackingFailed(_server.Name, _server.Url, problem);
    }
}

/// <summary>Limits and pauses of tracking on a server.</summary>
internal sealed record TrackingTimes
{
    /// <summary>Time limit of one short call.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Maximum number of records that are sent together.</summary>
    public int Together { get; init; } = 1000;

    /// <summary>Pause between two calls that send records.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Pause after the first failed call, doubled after each further one.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause after a failed call, unless the server asks for a longer one.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Time that the end of a run waits for a call to succeed, and longest time that the end of a stopped run waits for the server at all.
    /// </summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Longest time that the end of a run with a result waits for the server.</summary>
    public TimeSpan End { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Shortest interval between two warnings in the log.</summary>
    public TimeSpan BetweenWarnings { get; init; } = TimeSpan.FromMinutes(5);
}

using System.Threading.Channels;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Tracks a run on an MLflow server in the background. A slow or failing server costs metrics at worst, never the run: the queue is bounded
/// and drops its oldest entries, and the end of the run waits for a limited time. An attempt that resumes from a checkpoint continues the
/// same MLflow run, where steps that are repeated have two values.
/// </summary>
internal sealed class MlflowTracking : IMetricsSink, IAsyncDisposable
{
    private const int MostWaiting = 100_000;

    private readonly MlflowOptions _options;
    private readonly MlflowTimes _times;
    private readonly TrainingJob _job;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MlflowClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<MlflowMetric> _waiting =
        Channel.CreateBounded<MlflowMetric>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly Task _loop;
    private volatile string _end = "KILLED";
    private long? _warned;

    public MlflowTracking(MlflowOptions options, TrainingJob job, TimeProvider time, ILogger logger, MlflowTimes? times = null)
    {
        (_options, _job, _time, _logger, _times) = (options, job, time, logger, times ?? new MlflowTimes());
        _client = new MlflowClient(options, _times.Call);
        _loop = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public void Record(MetricsLine line) => Add(line.Step, MetricScalars.Of(line));

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task EndAsync(RunResult? result, CancellationToken cancellationToken)
    {
        if (result is not null) Add(result.Steps, MetricScalars.Of(result));
        _end = result is null ? "KILLED" : result.Succeeded ? "FINISHED" : "FAILED";
        return FinishAsync();
    }

    /// <summary>Ends the tracking, as that of a stopped run unless <c>EndAsync</c> was called.</summary>
    public async ValueTask DisposeAsync()
    {
        await FinishAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task FinishAsync()
    {
        _waiting.Writer.TryComplete();
        if (await Task.WhenAny(_loop, Task.Delay(_times.End, _time)) != _loop)
        {
            _logger.MlflowIncomplete(_job.Run);
            await _stop.CancelAsync();
        }
        await _loop;
    }

    private async Task RunAsync()
    {
        try
        {
            string? id = null;
            if (!await PersistAsync(async () => id = await StartAsync())) return;
            foreach (var some in Parameters().Chunk(MlflowClient.MostParameters)) await PersistAsync(() => _client.LogAsync(id!, some, _stop.Token));
            while (await _waiting.Reader.WaitToReadAsync(_stop.Token))
            {
                var metrics = new List<MlflowMetric>();
                while (metrics.Count < MlflowClient.MostMetrics && _waiting.Reader.TryRead(out var metric)) metrics.Add(metric);
                await PersistAsync(() => _client.LogAsync(id!, metrics, _stop.Token));
                // The pause collects many metrics for one call, and ends early when no more will come.
                await Task.WhenAny(Task.Delay(_times.Pause, _time, _stop.Token), _waiting.Reader.Completion);
            }
            await PersistAsync(() => _client.UpdateRunAsync(id!, _end, _time.GetUtcNow(), _stop.Token));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The time limit at the end of the run has passed.
        }
        catch (Exception e)
        {
            // Any other failure must not stop the training run.
            _logger.MlflowFailed(_options.Server, e.Message);
        }
    }

    private async Task<string> StartAsync()
    {
        var experiment = await _client.ExperimentAsync(_options.Experiment, _stop.Token);
        if (await _client.FindRunAsync(experiment, _job.Run, _stop.Token) is not { } id)
            return await _client.CreateRunAsync(experiment, _job.Run, _time.GetUtcNow(), _stop.Token);
        await _client.UpdateRunAsync(id, "RUNNING", ended: null, _stop.Token);
        return id;
    }

    private IEnumerable<(string Name, string Value)> Parameters() =>
    [
        ("baseModel", _job.BaseModel), ("outputModel", _job.OutputModel), ("dataset", _job.Dataset ?? ""), .. FlatSettings.Of(_job.Settings),
    ];

    /// <summary>Repeats a call until it succeeds or is refused for good.</summary>
    /// <returns>False when the call was refused for good.</returns>
    private async Task<bool> PersistAsync(Func<Task> call)
    {
        for (var wait = _times.FirstWait; ; wait = TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, _times.LongestWait.Ticks)))
        {
            var server = default(TimeSpan?);
            try
            {
                await call();
                return true;
            }
            catch (Exception e) when (!_stop.IsCancellationRequested && e is MlflowException or HttpRequestException or OperationCanceledException)
            {
                Warn(e);
                if (e is MlflowException refusal)
                {
                    if (!refusal.IsPassing) return false;
                    server = refusal.RetryAfter;
                }
            }
            await Task.Delay(server > wait ? server.Value : wait, _time, _stop.Token);
        }
    }

    private void Warn(Exception e)
    {
        if (_warned is { } last && _time.GetElapsedTime(last) < _times.BetweenWarnings) return;
        _warned = _time.GetTimestamp();
        _logger.MlflowFailed(_options.Server, e.Message);
    }

    private void Add(int step, IEnumerable<(string Name, double Value)> scalars)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var (name, value) in scalars) _waiting.Writer.TryWrite(new MlflowMetric(name, value, now, step));
    }
}

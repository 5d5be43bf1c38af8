using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Reports the progress of a unit every two seconds, so that an ingestion shows progress before its first unit is complete.
/// </summary>
internal sealed class UnitProgress : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop;
    private readonly PeriodicTimer _timer;
    private readonly Lock _gate = new();
    private readonly Task _telling;
    private RowCounts _counts = new();

    /// <param name="tell">Reports the row counts so far; called only when they have grown.</param>
    /// <param name="cancellationToken">Stops the reports.</param>
    public UnitProgress(Func<RowCounts, CancellationToken, Task> tell, TimeProvider time, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _timer = new PeriodicTimer(Interval, time);
        _telling = TellAsync(tell);
    }

    /// <summary>Counts a row whose row status is known.</summary>
    public void Add(ManifestRow row)
    {
        lock (_gate) _counts += ManifestStore.Count(row);
    }

    /// <summary>Stops the reports; returns when no more will be sent.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _timer.Dispose();
        _stop.Dispose();
    }

    private async Task TellAsync(Func<RowCounts, CancellationToken, Task> tell)
    {
        var told = 0L;
        while (await _timer.WaitForNextTickAsync(_stop.Token))
        {
            RowCounts now;
            lock (_gate) now = _counts;
            if (now.Rows > told) await tell(now, _stop.Token);
            told = now.Rows;
        }
    }
}

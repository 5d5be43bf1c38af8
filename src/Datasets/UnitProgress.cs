using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Tells every few seconds how far a unit is, so that an ingestion is seen to move before its first unit is done.</summary>
internal sealed class UnitProgress : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop;
    private readonly PeriodicTimer _timer;
    private readonly Lock _gate = new();
    private readonly Task _telling;
    private RowCounts _counts = new();

    /// <param name="tell">Called with the counts so far, while they grow.</param>
    /// <param name="cancellation">Stops the telling, too.</param>
    public UnitProgress(Func<RowCounts, CancellationToken, Task> tell, TimeProvider time, CancellationToken cancellation)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _timer = new PeriodicTimer(Interval, time);
        _telling = TellAsync(tell);
    }

    /// <summary>Counts a row that has met its fate.</summary>
    public void Add(ManifestRow row)
    {
        lock (_gate) _counts += ManifestStore.Count(row);
    }

    /// <summary>Returns when nothing more will be told.</summary>
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

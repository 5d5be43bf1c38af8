namespace FunctionsPipeline.Datasets;

/// <summary>Those who want something of one host, first come, first served.</summary>
/// <param name="places">Requests at the same time.</param>
/// <param name="interval">Time between the beginnings of two requests.</param>
internal sealed class HostQueue(int places, TimeSpan interval, TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();
    private readonly SemaphoreSlim _places = new(places);
    private readonly SemaphoreSlim _pace = new(1);
    private readonly Lock _gate = new();
    private TimeSpan _opensAt;

    /// <summary>Whether the next request need not wait for the pace or a pause.</summary>
    public bool IsOpen => Wait() <= TimeSpan.Zero;

    /// <summary>Waits for a place, for the pace and for the end of a pause. <see cref="Leave"/> gives the place back.</summary>
    public async Task EnterAsync(CancellationToken cancellation)
    {
        await _places.WaitAsync(cancellation);
        try
        {
            await _pace.WaitAsync(cancellation);
            try
            {
                // Timers count in whole milliseconds, and the pause may be made longer meanwhile.
                for (TimeSpan wait; (wait = Wait()) > TimeSpan.Zero;)
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), time, cancellation);
                Close(interval);
            }
            finally
            {
                _pace.Release();
            }
        }
        catch
        {
            _places.Release();
            throw;
        }
    }

    public void Leave() => _places.Release();

    /// <summary>Begins no request for a time.</summary>
    public void Close(TimeSpan pause)
    {
        var until = time.GetElapsedTime(_start) + pause;
        lock (_gate)
        {
            if (until > _opensAt) _opensAt = until;
        }
    }

    private TimeSpan Wait()
    {
        lock (_gate) return _opensAt - time.GetElapsedTime(_start);
    }
}

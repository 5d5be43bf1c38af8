namespace FunctionsPipeline.Datasets;

/// <summary>First-in, first-out queue of requests to one host, limited in concurrency and rate.</summary>
/// <param name="places">Maximum number of concurrent requests.</param>
/// <param name="interval">Minimum time between the starts of two requests.</param>
internal sealed class HostQueue(int places, TimeSpan interval, TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();
    private readonly SemaphoreSlim _places = new(places);
    private readonly SemaphoreSlim _pace = new(1);
    private readonly Lock _gate = new();
    private TimeSpan _opensAt;

    /// <summary>True when the next request need not wait for the rate limit or a pause.</summary>
    public bool IsOpen => Wait() <= TimeSpan.Zero;

    /// <summary>Waits for a free place, for the rate limit and for the end of a pause. <see cref="Leave"/> releases the place.</summary>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        try
        {
            await _pace.WaitAsync(cancellationToken);
            try
            {
                // Loops, as a concurrent request may extend the pause; rounds up, as timers count whole milliseconds and would fire early.
                for (TimeSpan wait; (wait = Wait()) > TimeSpan.Zero;)
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), time, cancellationToken);
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

    /// <summary>Starts no request for the given time.</summary>
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

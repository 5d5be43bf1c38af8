namespace FunctionsPipeline.Datasets.Fetching;

/// <summary>
/// Throttles requests per host over all downloads of this process: limits concurrency and rate, and pauses when a host asks for it
/// (Retry-After). A holder of a turn must not wait for a second one: two hosts that redirect to each other would deadlock.
/// </summary>
internal sealed class HostThrottle(IngestionOptions options, TimeProvider time)
{
    private const int FewHosts = 64;

    private readonly TimeSpan _interval = options.RequestsPerHostPerSecond is { } rate ? TimeSpan.FromSeconds(1 / rate) : TimeSpan.Zero;
    private readonly Dictionary<string, Host> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private int _sweepAt = FewHosts;

    /// <summary>Number of hosts in memory.</summary>
    public int Count
    {
        get
        {
            lock (_hosts) return _hosts.Count;
        }
    }

    /// <summary>Waits for a turn at the URL's host; disposing the turn ends it.</summary>
    public async Task<HostLease> EnterAsync(Uri uri, CancellationToken cancellationToken)
    {
        var host = Register(uri.IdnHost.TrimEnd('.'));
        try
        {
            await host.Queue.EnterAsync(cancellationToken);
        }
        catch
        {
            Release(host);
            throw;
        }
        return new HostLease(host.Queue, () =>
        {
            host.Queue.Leave();
            Release(host);
        });
    }

    private Host Register(string name)
    {
        lock (_hosts)
        {
            if (!_hosts.TryGetValue(name, out var host))
            {
                Sweep();
                _hosts.Add(name, host = new Host(new HostQueue(options.RequestsPerHost, _interval, time)));
            }
            host.Users++;
            return host;
        }
    }

    private void Release(Host host)
    {
        lock (_hosts) host.Users--;
    }

    // Bounds the memory of datasets with very many hosts. Sweeping only when the number has doubled makes the cost per host constant
    // (amortized).
    private void Sweep()
    {
        if (_hosts.Count < _sweepAt) return;
        foreach (var (name, host) in _hosts)
            if (host.Users == 0 && host.Queue.IsOpen) _hosts.Remove(name);
        _sweepAt = Math.Max(FewHosts, 2 * _hosts.Count);
    }

    private sealed class Host(HostQueue queue)
    {
        public HostQueue Queue => queue;

        public int Users { get; set; }
    }
}

/// <summary>Permission for one request to a host; disposing it releases the place.</summary>
internal sealed class HostLease(HostQueue queue, Action end) : IDisposable
{
    /// <summary>Pauses all further requests to the host for the given time.</summary>
    public void HoldBack(TimeSpan pause) => queue.Close(pause);

    public void Dispose() => end();
}

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

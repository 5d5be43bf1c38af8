namespace FunctionsPipeline.Datasets;

/// <summary>
/// Throttles requests per host over all downloads of this process: limits concurrency and rate, and pauses when a host asks for it
/// (Retry-After). A holder of a turn must not wait for a second one: two hosts that redirect to each other would deadlock.
/// </summary>
internal sealed class HostTurns(IngestionOptions options, TimeProvider time)
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
    public async Task<HostTurn> TakeAsync(Uri uri, CancellationToken cancellationToken)
    {
        var host = Join(uri.IdnHost.TrimEnd('.'));
        try
        {
            await host.Queue.EnterAsync(cancellationToken);
        }
        catch
        {
            Part(host);
            throw;
        }
        return new HostTurn(host.Queue, () =>
        {
            host.Queue.Leave();
            Part(host);
        });
    }

    private Host Join(string name)
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

    private void Part(Host host)
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
internal sealed class HostTurn(HostQueue queue, Action end) : IDisposable
{
    /// <summary>Pauses all further requests to the host for the given time.</summary>
    public void HoldBack(TimeSpan pause) => queue.Close(pause);

    public void Dispose() => end();
}

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Turns at hosts, over everything that this process downloads: so many requests to a host at the same time, so many begun in a second,
/// and none while it asks for a pause. Whoever has a turn must not wait for another, or two hosts that redirect to each other could hold
/// up everybody.
/// </summary>
internal sealed class HostTurns(IngestionOptions options, TimeProvider time)
{
    private const int FewHosts = 64;

    private readonly TimeSpan _interval = options.RequestsPerHostPerSecond is { } rate ? TimeSpan.FromSeconds(1 / rate) : TimeSpan.Zero;
    private readonly Dictionary<string, Host> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private int _sweepAt = FewHosts;

    /// <summary>Hosts that are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_hosts) return _hosts.Count;
        }
    }

    /// <summary>Waits for a turn at an address' host; disposing ends it.</summary>
    public async Task<HostTurn> TakeAsync(Uri uri, CancellationToken cancellation)
    {
        var host = Join(uri.IdnHost.TrimEnd('.'));
        try
        {
            await host.Queue.EnterAsync(cancellation);
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

    // A dataset may have more hosts than should be remembered. Looking through them only when they have doubled costs each next to nothing.
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

/// <summary>A turn at a host.</summary>
internal sealed class HostTurn(HostQueue queue, Action end) : IDisposable
{
    /// <summary>Lets nobody else begin a request to the host for a time.</summary>
    public void HoldBack(TimeSpan pause) => queue.Close(pause);

    public void Dispose() => end();
}

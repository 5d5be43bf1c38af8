namespace FunctionsPipeline.Shared;

/// <summary>
/// Tells callers that are turned away when to come back. Each gets the next slot of a virtual queue behind the requests in progress, so
/// that a crowd comes back one after another and each of it about once. Thread-safe.
/// </summary>
internal sealed class PacedRetry(TimeProvider time)
{
    /// <summary>Longest time that a caller is told to wait. Who is behind that is told the same, and asks again then.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    // Weight of the latest batch in the moving average.
    private const double Weight = 0.2;

    private readonly Lock _gate = new();
    private readonly long _started = time.GetTimestamp();
    private TimeSpan? _measured;
    private TimeSpan _next;

    // A guess before the first batch.
    private TimeSpan PerRequest => _measured ?? TimeSpan.FromSeconds(1);

    /// <summary>Learns the throughput from requests that were completed.</summary>
    /// <param name="requests">At least one.</param>
    /// <param name="duration">Time that they took together.</param>
    public void Completed(int requests, TimeSpan duration)
    {
        var latest = duration / requests;
        lock (_gate) _measured = _measured is { } average ? average + Weight * (latest - average) : latest;
    }

    /// <summary>Takes the next slot.</summary>
    /// <param name="inProgress">Number of requests in progress.</param>
    /// <returns>Time until the slot.</returns>
    public TimeSpan Next(int inProgress)
    {
        lock (_gate)
        {
            var now = time.GetElapsedTime(_started);
            var drained = now + inProgress * PerRequest;
            _next = (_next > drained ? _next : drained) + PerRequest;
            // Slots beyond the limit are not given away: their callers come back earlier, and nobody would be left to take them.
            if (_next > now + Longest) _next = now + Longest;
            return _next - now;
        }
    }
}

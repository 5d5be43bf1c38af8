namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>
/// Pauses before the starts of a process that ends by itself: each twice as long as the one before, and short again after a stable run.
/// </summary>
internal sealed class RestartPauses(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    // A process that ran this long has started properly.
    private static readonly TimeSpan Stable = TimeSpan.FromMinutes(1);

    private TimeSpan _next = First;
    private long? _started;

    /// <summary>Notes that the process has started.</summary>
    public void Started() => _started = time.GetTimestamp();

    /// <summary>Returns the pause to make now that the process has ended or has failed to start.</summary>
    public TimeSpan Next()
    {
        if (_started is { } started && time.GetElapsedTime(started) > Stable) _next = First;
        _started = null;
        var pause = _next;
        _next = pause * 2 < Longest ? pause * 2 : Longest;
        return pause;
    }
}

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>External events of one execution: kept until somebody waits for them, given to waiters in the order of waiting.</summary>
internal sealed class ExternalEvents
{
    private readonly List<HistoryEvent> _unprocessed = [];
    private readonly List<(string Name, PendingTask Task)> _waiters = [];

    public bool IsAwaited => _waiters.Any(w => w.Task.IsOpen);

    public IReadOnlyList<HistoryEvent> Unprocessed => _unprocessed;

    public void Await(string name, PendingTask task)
    {
        var at = _unprocessed.FindIndex(e => Same(e.Name!, name));
        if (at < 0)
        {
            _waiters.Add((name, task));
            return;
        }
        var e = _unprocessed[at];
        _unprocessed.RemoveAt(at);
        task.Complete(e.Data);
    }

    public void Raise(HistoryEvent e)
    {
        _waiters.RemoveAll(w => !w.Task.IsOpen);
        var at = _waiters.FindIndex(w => Same(w.Name, e.Name!));
        if (at < 0)
        {
            _unprocessed.Add(e);
            return;
        }
        var waiter = _waiters[at].Task;
        _waiters.RemoveAt(at);
        waiter.Complete(e.Data);
    }

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}

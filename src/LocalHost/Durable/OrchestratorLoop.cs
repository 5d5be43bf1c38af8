namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>
/// The one thread of an orchestrator: continuations of awaited durable tasks are queued here and run in order, so that the same history
/// always gives the same run.
/// </summary>
internal sealed class OrchestratorLoop : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _queue = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;

    /// <summary>Whether the caller is the orchestrator's own thread.</summary>
    public bool IsCurrent => Environment.CurrentManagedThreadId == _thread;

    public override void Post(SendOrPostCallback d, object? state)
    {
        // A task that is not durable ends on some other thread, perhaps after the turn. The loop finds the orchestrator waiting for
        // nothing durable and fails it with an explanation, so there is nothing to run here.
        if (!IsCurrent) return;
        _queue.Enqueue((d, state));
    }

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs what is queued until nothing is.</summary>
    public void Drain()
    {
        while (_queue.TryDequeue(out var item)) item.Callback(item.State);
    }
}

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>Wakes everybody who waits for a change. Take <see cref="Next"/> before looking, so that no change is missed.</summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Next => Volatile.Read(ref _next).Task;

    public void Fire() => Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
}

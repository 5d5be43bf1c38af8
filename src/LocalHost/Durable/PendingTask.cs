using Microsoft.DurableTask;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>A durable task that the orchestrator holds and history has not answered yet.</summary>
internal abstract class PendingTask
{
    public abstract bool IsOpen { get; }

    /// <param name="data">The result as JSON.</param>
    public abstract void Complete(string? data);

    public abstract void Fail(Exception exception);

    public abstract void Cancel(CancellationToken cancellation);
}

/// <inheritdoc/>
internal sealed class PendingTask<T>(DataConverter converter) : PendingTask
{
    private readonly TaskCompletionSource<T> _source = new();

    public Task<T> Task => _source.Task;

    public override bool IsOpen => !_source.Task.IsCompleted;

    public override void Complete(string? data)
    {
        T? value;
        try
        {
            value = converter.Deserialize<T>(data);
        }
        catch (Exception e)
        {
            // The orchestrator asked for a type that the data does not have: its own call is what must fail.
            _source.TrySetException(e);
            return;
        }
        _source.TrySetResult(value!);
    }

    public override void Fail(Exception exception) => _source.TrySetException(exception);

    public override void Cancel(CancellationToken cancellation) => _source.TrySetCanceled(cancellation);
}

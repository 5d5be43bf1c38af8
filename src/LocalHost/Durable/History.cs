namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>What can happen to an orchestration, and what it can ask for.</summary>
internal enum EventKind
{
    /// <summary>A turn begins; its time is the orchestration's clock until the next one.</summary>
    TurnStarted,
    ExecutionStarted,
    ActivityScheduled,
    ActivityCompleted,
    ActivityFailed,
    SubOrchestrationScheduled,
    SubOrchestrationCompleted,
    SubOrchestrationFailed,
    TimerScheduled,
    TimerFired,
    EventSent,
    EventRaised,
    Terminated,
}

/// <summary>A line of an orchestration's history.</summary>
/// <param name="Task">Number of the task within its execution, -1 when the event belongs to none.</param>
/// <param name="Name">Of the activity, orchestrator or external event.</param>
/// <param name="Data">Result, input or failure as JSON; a sub-orchestration's instance id when it is scheduled.</param>
internal sealed record HistoryEvent(EventKind Kind, int Task, string? Name, string? Data, DateTime At);

/// <summary>An event that waits for its instance's next turn.</summary>
internal sealed record Message(long Id, EventKind Kind, int Task, string? Name, string? Data);

/// <summary>Something an orchestrator asked for in a turn.</summary>
internal abstract record Request(int Task)
{
    internal sealed record Activity(int Task, string Name, string? Input) : Request(Task);

    internal sealed record SubOrchestration(int Task, string Name, string InstanceId, string Version, string? Input) : Request(Task);

    internal sealed record Timer(int Task, DateTime FireAt) : Request(Task);

    internal sealed record SendEvent(int Task, string InstanceId, string Name, string? Payload) : Request(Task);

    /// <summary>The request as the history keeps it.</summary>
    public HistoryEvent ToEvent(DateTime at) => this switch
    {
        Activity a => new HistoryEvent(EventKind.ActivityScheduled, Task, a.Name, null, at),
        SubOrchestration s => new HistoryEvent(EventKind.SubOrchestrationScheduled, Task, s.Name, s.InstanceId, at),
        Timer t => new HistoryEvent(EventKind.TimerScheduled, Task, null, t.FireAt.ToString("O"), at),
        SendEvent e => new HistoryEvent(EventKind.EventSent, Task, e.Name, e.InstanceId, at),
        _ => throw new InvalidOperationException($"No event for {GetType().Name}."),
    };
}

using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>The task of another orchestration that a sub-orchestration answers to.</summary>
internal sealed record ParentTask(string Instance, string Execution, string Name, int Task);

/// <summary>An orchestration instance as it is stored.</summary>
internal sealed record Instance
{
    public required string Id { get; init; }

    /// <summary>Changes when the instance starts anew, so that results of an earlier life go nowhere.</summary>
    public required string Execution { get; init; }

    public required string Name { get; init; }

    public string Version { get; init; } = "";

    public OrchestrationRuntimeStatus Status { get; init; } = OrchestrationRuntimeStatus.Pending;

    public bool Suspended { get; init; }

    public string? Input { get; init; }

    public string? Output { get; init; }

    public TaskFailureDetails? Failure { get; init; }

    public string? CustomStatus { get; init; }

    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    public required DateTime Created { get; init; }

    public required DateTime Updated { get; init; }

    public ParentTask? Parent { get; init; }

    public bool IsEnded => Status
        is OrchestrationRuntimeStatus.Completed or OrchestrationRuntimeStatus.Failed or OrchestrationRuntimeStatus.Terminated;

    /// <summary>What clients see.</summary>
    public OrchestrationRuntimeStatus VisibleStatus => Suspended && !IsEnded ? OrchestrationRuntimeStatus.Suspended : Status;

    public static string NewExecution() => Guid.NewGuid().ToString("N");
}

using DurableTask.Core.History;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>A durable client that keeps the orchestrations that are started, without running them.</summary>
internal sealed class FakeDurableClient() : DurableTaskClient("test")
{
    private readonly Dictionary<string, OrchestrationMetadata> _instances = [];

    /// <summary>Inputs of the orchestrations that were started, in their order.</summary>
    public List<object?> Started { get; } = [];

    /// <summary>Histories of orchestrations.</summary>
    public Dictionary<string, HistoryEvent[]> Histories { get; } = [];

    /// <summary>Adds an orchestration, or changes its status.</summary>
    public void Set(string instance, OrchestrationRuntimeStatus status) =>
        _instances[instance] = new OrchestrationMetadata("FineTune", instance) { RuntimeStatus = status };

    public override Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName, object? input = null, StartOrchestrationOptions? options = null,
        CancellationToken cancellation = default)
    {
        Started.Add(input);
        Set(options!.InstanceId!, OrchestrationRuntimeStatus.Pending);
        return Task.FromResult(options.InstanceId!);
    }

    public override Task<OrchestrationMetadata?> GetInstancesAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) =>
        Task.FromResult(_instances.GetValueOrDefault(instanceId));

    public override Task<IList<HistoryEvent>> GetOrchestrationHistoryAsync(string instanceId, CancellationToken cancellation = default) =>
        Task.FromResult<IList<HistoryEvent>>(Histories[instanceId]);

    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null) =>
        throw new NotSupportedException();

    public override Task RaiseEventAsync(
        string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

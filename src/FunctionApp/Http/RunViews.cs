using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Runs as the HTTP API shows them, from what the durable client knows of their orchestrations.</summary>
internal static class RunViews
{
    /// <summary>A run's view; null when there is no such run.</summary>
    public static async Task<RunView?> GetAsync(DurableTaskClient client, string run, CancellationToken cancellation) =>
        await client.GetInstanceAsync(run, getInputsAndOutputs: true, cancellation) is { } instance && IsRun(instance)
            ? await ViewAsync(client, instance, cancellation)
            : null;

    /// <summary>All runs, newest first.</summary>
    public static async Task<IReadOnlyList<RunView>> ListAsync(DurableTaskClient client, CancellationToken cancellation)
    {
        var views = new List<RunView>();
        await foreach (var instance in client.GetAllInstancesAsync(new OrchestrationQuery { FetchInputsAndOutputs = true }).WithCancellation(cancellation))
            if (IsRun(instance)) views.Add(await ViewAsync(client, instance, cancellation));
        return [.. views.OrderByDescending(view => view.CreatedAt)];
    }

    private static bool IsRun(OrchestrationMetadata instance) => instance.Name == nameof(FineTune);

    private static async Task<RunView> ViewAsync(DurableTaskClient client, OrchestrationMetadata instance, CancellationToken cancellation)
    {
        var status = Read<RunStatus>(instance, instance.SerializedCustomStatus);
        // While a run ingests, the counts are the status of its sub-orchestration.
        if (status is { Phase: RunPhase.Ingesting, Rows: null }
            && await client.GetInstanceAsync(FineTune.IngestionId(instance.InstanceId), getInputsAndOutputs: true, cancellation) is { } ingestion)
            status = Read<RunStatus>(ingestion, ingestion.SerializedCustomStatus) ?? status;
        return new RunView
        {
            Run = instance.InstanceId,
            RuntimeStatus = instance.RuntimeStatus.ToString(),
            CreatedAt = instance.CreatedAt,
            LastUpdatedAt = instance.LastUpdatedAt,
            Status = status,
            Outcome = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? Read<RunOutcome>(instance, instance.SerializedOutput) : null,
            Error = RunErrors.Of(instance),
        };
    }

    private static T? Read<T>(OrchestrationMetadata instance, string? data)
        where T : class => data is null ? null : instance.DataConverter?.Deserialize<T>(data);
}

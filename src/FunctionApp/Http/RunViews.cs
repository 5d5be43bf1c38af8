using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Builds the HTTP API's views of runs from the durable client's records of their orchestrations.</summary>
internal static class RunViews
{
    private const int LookupsAtOnce = 8;

    /// <summary>Reads a run's view; null when there is no such run.</summary>
    public static async Task<RunView?> GetAsync(DurableTaskClient client, string run, CancellationToken cancellationToken) =>
        await client.GetInstanceAsync(run, getInputsAndOutputs: true, cancellationToken) is { } instance && IsRun(instance)
            ? await ViewAsync(client, instance, cancellationToken)
            : null;

    public static async Task<bool> ExistsAsync(DurableTaskClient client, string run, CancellationToken cancellationToken) =>
        await client.GetInstanceAsync(run, cancellationToken) is { } instance && IsRun(instance);

    /// <summary>Reads a page of runs, newest first.</summary>
    public static async Task<RunPage> ListAsync(DurableTaskClient client, RunIndex index, RunQuery query, CancellationToken cancellationToken)
    {
        var continuation = query.Continuation;
        while (true)
        {
            (var runs, continuation) = await index.ReadAsync(query.From, query.To, query.Top, continuation, cancellationToken);
            var views = new RunView?[runs.Count];
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
            await Parallel.ForAsync(0, runs.Count, parallel, async (i, stop) => views[i] = await ListedAsync(client, runs[i], query, stop));
            if (views.Any(view => view is not null) || continuation is null) return new RunPage([.. views.OfType<RunView>()], continuation);
        }
    }

    private static bool IsRun(OrchestrationMetadata instance) => instance.Name == nameof(FineTune);

    private static async Task<RunView?> ListedAsync(DurableTaskClient client, string run, RunQuery query, CancellationToken cancellationToken)
    {
        var instance = await client.GetInstanceAsync(run, cancellationToken);
        if (instance is null || !IsRun(instance)) return null;
        if (query.Statuses.Count > 0 && !query.Statuses.Contains(instance.RuntimeStatus)) return null;
        // The output of a completed run is large and stays out of the list. Other runs have a small custom status or error, which the list
        // shows.
        return instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? View(instance) : await GetAsync(client, run, cancellationToken);
    }

    private static async Task<RunView> ViewAsync(DurableTaskClient client, OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var status = Read<RunStatus>(instance, instance.SerializedCustomStatus);
        // While a run ingests, its row counts are in the custom status of the ingestion's sub-orchestration.
        if (status is { Phase: RunPhase.Ingesting, Rows: null }
            && await client.GetInstanceAsync(FineTune.IngestionId(instance.InstanceId), getInputsAndOutputs: true, cancellationToken) is { } ingestion)
            status = Read<RunStatus>(ingestion, ingestion.SerializedCustomStatus) ?? status;
        return View(instance) with
        {
            Status = status,
            Outcome = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? Read<RunOutcome>(instance, instance.SerializedOutput) : null,
            Error = RunErrors.Of(instance),
        };
    }

    private static RunView View(OrchestrationMetadata instance) => new()
    {
        Run = instance.InstanceId,
        RuntimeStatus = instance.RuntimeStatus.ToString(),
        CreatedAt = instance.CreatedAt,
        LastUpdatedAt = instance.LastUpdatedAt,
    };

    private static T? Read<T>(OrchestrationMetadata instance, string? data)
        where T : class => data is null ? null : instance.DataConverter?.Deserialize<T>(data);
}

using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads runs as the HTTP API shows them, from the durable client's records of their orchestrations.</summary>
internal static class RunReader
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
    public static async Task<RunPage> ListAsync(
        DurableTaskClient client, RunIndex index, RunListQuery query, CancellationToken cancellationToken)
    {
        var continuation = query.Continuation;
        while (true)
        {
            (var runs, continuation) = await index.ReadAsync(query.From, query.To, query.Top, continuation, cancellationToken);
            var views = new RunView?[runs.Count];
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
            await Parallel.ForAsync(0, runs.Count, parallel, async (i, stop) => views[i] = await ListedAsync(client, runs[i], query, stop));
            // A page that the status filter has emptied is skipped. Memory holds one page of the index; the index's end bounds the loop.
            if (views.Any(view => view is not null) || continuation is null) return new RunPage([.. views.OfType<RunView>()], continuation);
        }
    }

    /// <summary>True for the runtime status of an orchestration that does nothing any more.</summary>
    public static bool HasEnded(string runtimeStatus) => runtimeStatus is nameof(OrchestrationRuntimeStatus.Completed)
        or nameof(OrchestrationRuntimeStatus.Failed) or nameof(OrchestrationRuntimeStatus.Terminated);

    private static bool IsRun(OrchestrationMetadata instance) => instance.Name == nameof(FineTune);

    private static async Task<RunView?> ListedAsync(
        DurableTaskClient client, string run, RunListQuery query, CancellationToken cancellationToken)
    {
        var instance = await client.GetInstanceAsync(run, cancellationToken);
        if (instance is null || !IsRun(instance)) return null;
        if (query.Statuses.Count > 0 && !query.Statuses.Contains(instance.RuntimeStatus)) return null;
        // The output of a completed run is large and stays out of the list. Other runs have a small custom status or error, which the list
        // shows.
        return instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed
            ? View(instance)
            : await GetAsync(client, run, cancellationToken);
    }

    private static async Task<RunView> ViewAsync(
        DurableTaskClient client, OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var progress = Read<RunProgress>(instance, instance.SerializedCustomStatus);
        // While a run ingests, its row counts are in the custom status of the ingestion's sub-orchestration.
        if (progress is { Phase: RunPhase.Ingesting, Rows: null })
        {
            var id = FineTune.IngestionId(instance.InstanceId);
            if (await client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellationToken) is { } ingestion)
                progress = Read<RunProgress>(ingestion, ingestion.SerializedCustomStatus) ?? progress;
        }
        return View(instance) with
        {
            Status = progress,
            Outcome = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed
                ? Read<RunOutcome>(instance, instance.SerializedOutput)
                : null,
            Error = FailureReason.Of(instance),
        };
    }

    private static RunView View(OrchestrationMetadata instance) => new()
    {
        Run = instance.InstanceId,
        RuntimeStatus = instance.RuntimeStatus.ToString(),
        CreatedAt = instance.CreatedAt,
        LastUpdatedAt = instance.LastUpdatedAt,
    };

    /// <summary>Deserializes the input, output or custom status of an orchestration; null when there is none.</summary>
    internal static T? Read<T>(OrchestrationMetadata instance, string? data)
        where T : class => data is null ? null : instance.DataConverter?.Deserialize<T>(data);
}

/// <summary>Query parameters of <c>GET /api/runs</c>.</summary>
/// <param name="Top">Maximum number of runs on a page.</param>
/// <param name="Statuses">Runtime statuses to include; empty for all.</param>
/// <param name="From">Earliest time of acceptance, included.</param>
/// <param name="To">Latest time of acceptance, included.</param>
internal sealed record RunListQuery(
    int Top, string? Continuation, IReadOnlyCollection<OrchestrationRuntimeStatus> Statuses, DateTimeOffset? From, DateTimeOffset? To)
{
    /// <summary>Parses the query's parameters and adds invalid ones to <paramref name="errors"/>.</summary>
    public static RunListQuery Read(IQueryCollection query, ValidationErrors errors)
    {
        var parameters = new QueryParameters(query, errors);
        var statuses = new List<OrchestrationRuntimeStatus>();
        foreach (var word in query["status"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            // Enum.TryParse also accepts numbers.
            if (char.IsLetter(word[0]) && Enum.TryParse<OrchestrationRuntimeStatus>(word, ignoreCase: true, out var one)) statuses.Add(one);
            else errors.Add("status", $"has '{word}', must be some of Pending, Running, Completed, Failed, Terminated and Suspended");
        }
        return new RunListQuery(
            parameters.Top(), parameters.Text("continuation"), statuses, Time("createdFrom"), Time("createdTo"));

        DateTimeOffset? Time(string name)
        {
            if (parameters.Text(name) is not { } text) return null;
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)) return time;
            errors.Add(name, $"is '{text}', must be a time such as 2026-05-01T12:00:00Z");
            return null;
        }
    }
}

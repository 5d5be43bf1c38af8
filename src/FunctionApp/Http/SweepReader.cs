using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads sweeps as the HTTP API shows them, from the durable client's records of their orchestrations and runs.</summary>
internal static class SweepReader
{
    private const int LookupsAtOnce = 8;

    /// <summary>Reads a sweep's view with its runs; null when there is no such sweep.</summary>
    public static async Task<SweepView?> GetAsync(
        DurableTaskClient client, RunDocumentStore store, string sweep, CancellationToken cancellationToken)
    {
        if (await FindAsync(client, sweep, cancellationToken) is not { } view) return null;
        if (await store.AcceptedAsync<SweepPlan>(sweep, cancellationToken) is not { } plan) return null;
        var runs = new SweepRunView[plan.Runs.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, runs.Length, parallel, async (i, stop) =>
        {
            var run = SweepPlan.RunId(sweep, i);
            runs[i] = View(run, plan.Runs[i], await RunReader.GetAsync(client, run, stop));
        });
        return view with { Runs = Ranked(runs) };
    }

    /// <summary>Reads a page of sweeps, newest first.</summary>
    public static async Task<SweepPage> ListAsync(
        DurableTaskClient client, SweepIndex index, int top, string? continuation, CancellationToken cancellationToken)
    {
        (var sweeps, continuation) = await index.ReadAsync(null, null, top, continuation, cancellationToken);
        var views = new SweepView?[sweeps.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, sweeps.Count, parallel, async (i, stop) => views[i] = await FindAsync(client, sweeps[i], stop));
        return new SweepPage([.. views.OfType<SweepView>()], continuation);
    }

    /// <summary>Ranks runs by their validation losses, the lowest first; equal losses keep the order of the runs.</summary>
    internal static IReadOnlyList<SweepRunView> Ranked(IReadOnlyList<SweepRunView> runs)
    {
        var ranks = runs.Where(run => run.ValidationLoss is not null).OrderBy(run => run.ValidationLoss)
            .Select((run, place) => (run.Run, place)).ToDictionary(rank => rank.Run, rank => rank.place + 1);
        return [.. runs.Select(run => ranks.TryGetValue(run.Run, out var rank) ? run with { Rank = rank } : run)];
    }

    private static async Task<SweepView?> FindAsync(DurableTaskClient client, string sweep, CancellationToken cancellationToken)
    {
        if (await client.GetInstanceAsync(sweep, getInputsAndOutputs: true, cancellationToken) is not { Name: nameof(Sweep) } instance)
            return null;
        return new SweepView
        {
            Sweep = sweep,
            RuntimeStatus = instance.RuntimeStatus.ToString(),
            CreatedAt = instance.CreatedAt,
            LastUpdatedAt = instance.LastUpdatedAt,
            Status = RunReader.Read<SweepProgress>(instance, instance.SerializedCustomStatus),
            Outcome = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed
                ? RunReader.Read<SweepOutcome>(instance, instance.SerializedOutput)
                : null,
            Error = FailureReason.Of(instance),
        };
    }

    private static SweepRunView View(string run, IReadOnlyDictionary<string, JsonElement> settings, RunView? view)
    {
        var (result, heartbeat) = (view?.Outcome?.Result, view?.Status?.Training);
        return new SweepRunView
        {
            Run = run,
            Settings = settings,
            RuntimeStatus = view?.RuntimeStatus,
            Phase = view?.Status?.Phase,
            Step = result?.Steps ?? heartbeat?.Step,
            Steps = heartbeat?.Steps,
            ValidationLoss = result?.FineTuned?.Loss ?? result?.Pruned?.ValidationLoss ?? heartbeat?.ValidationLoss,
            Pruned = result?.Pruned?.Reason,
            Error = view?.Error,
        };
    }
}

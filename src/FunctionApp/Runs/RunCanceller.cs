using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Cancels runs in progress.</summary>
public sealed class RunCanceller(RunDocumentStore store, IGpuJobs jobs, ILogger<RunCanceller> logger)
{
    /// <summary>Ends a run and stops its GPU job. A sweep that the run belongs to continues with its other runs.</summary>
    public async Task CancelAsync(DurableTaskClient client, string run, CancellationToken cancellationToken)
    {
        // An orchestration whose sub-orchestration was terminated fails with an error of the Durable Task worker: so would the sweep.
        // The run's next poll finds this result instead.
        var isOfSweep = SweepPlan.SweepOf(run) is { } sweep
            && await client.GetInstanceAsync(sweep, cancellationToken) is { IsCompleted: false };
        await StopAsync(run, async () =>
        {
            if (isOfSweep)
            {
                var cancelled = new TrainingResult { Run = run, Succeeded = false, Error = "the run was cancelled" };
                await store.EnsureResultAsync(cancelled, cancellationToken);
            }
            else await TerminateAsync(client, run, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>Cancels a sweep: ends its orchestration and the runs that have not ended.</summary>
    /// <param name="runs">The runs that have not ended, also those that have not started.</param>
    public async Task CancelAsync(
        DurableTaskClient client, string sweep, IReadOnlyList<string> runs, CancellationToken cancellationToken)
    {
        // Races with a run that starts and checks its mark: either it sees the mark or it is in progress when the runs are looked up.
        foreach (var run in runs) await store.MarkCancelledAsync(run, cancellationToken);
        await TerminateAsync(client, sweep, cancellationToken);
        foreach (var run in runs)
        {
            if (await client.GetInstanceAsync(run, cancellationToken) is { IsCompleted: false })
                await StopAsync(run, () => TerminateAsync(client, run, cancellationToken), cancellationToken);
        }
        Logs.SweepCancelled(logger, sweep);
    }

    /// <summary>Stops the GPU job of a run; does nothing when it has none.</summary>
    public async Task StopJobAsync(string run, CancellationToken cancellationToken)
    {
        if (await store.StartedAsync(run, cancellationToken) is { } job) await jobs.StopAsync(job.Name, cancellationToken);
    }

    private async Task StopAsync(string run, Func<Task> end, CancellationToken cancellationToken)
    {
        // Races with StartGpuJob, which stores the job and then checks the mark: marking first means that either it sees our mark or we see
        // its job.
        await store.MarkCancelledAsync(run, cancellationToken);
        await end();
        await StopJobAsync(run, cancellationToken);
        Logs.RunCancelled(logger, run);
    }

    private static Task TerminateAsync(DurableTaskClient client, string instance, CancellationToken cancellationToken) =>
        client.TerminateInstanceAsync(instance, new TerminateInstanceOptions("cancelled", Recursive: true), cancellationToken);
}

using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Cancels runs in progress.</summary>
public sealed class RunCanceller(RunDocumentStore store, IGpuJobs jobs, ILogger<RunCanceller> logger)
{
    /// <summary>Terminates a run's orchestration and stops its GPU job.</summary>
    public async Task CancelAsync(DurableTaskClient client, string run, CancellationToken cancellationToken)
    {
        // Races with StartGpuJob, which stores the job and then checks the mark: marking first means that either it sees our mark or we see
        // its job.
        await store.MarkCancelledAsync(run, cancellationToken);
        await client.TerminateInstanceAsync(run, new TerminateInstanceOptions("cancelled", Recursive: true), cancellationToken);
        await StopJobAsync(run, cancellationToken);
        Logs.RunCancelled(logger, run);
    }

    /// <summary>Stops the GPU job of a run; does nothing when it has none.</summary>
    public async Task StopJobAsync(string run, CancellationToken cancellationToken)
    {
        if (await store.StartedAsync(run, cancellationToken) is { } job) await jobs.StopAsync(job.Name, cancellationToken);
    }
}

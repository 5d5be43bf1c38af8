using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Job">The job without its shards, whose list is too long for an orchestration's history.</param>
/// <param name="Dataset">The dataset whose shards the job trains on.</param>
/// <param name="Attempt">1 for the first start, higher for restarts.</param>
/// <param name="Corrections">The corrections that the job trains on too; null for none.</param>
public sealed record StartGpuJobInput(TrainingJob Job, DatasetBlobs Dataset, int Attempt, DatasetBlobs? Corrections = null);

/// <param name="Name">The job's name, as <see cref="GpuJobActivities.StartGpuJob"/> returned it.</param>
public sealed record ReadGpuJobInput(string Run, string Name);

/// <param name="Grace">Time that the job has to end by itself.</param>
public sealed record StopGpuJobInput(string Name, TimeSpan Grace);

/// <summary>State of a run's GPU job.</summary>
/// <param name="Result">Result of the run; null while there is none.</param>
/// <param name="Heartbeat">Last heartbeat; null before the first.</param>
public sealed record GpuJobReading(GpuJobStatus Status, TrainingResult? Result, Heartbeat? Heartbeat);

/// <summary>Starts and watches the job that trains a run.</summary>
public sealed class GpuJobActivities(IGpuJobs jobs, RunDocumentStore store, DatasetIngestion datasets, TimeProvider time)
{
    private static readonly TimeSpan StopPause = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Starts the job and returns its name. A second execution for the same attempt returns the job that is already running.
    /// </summary>
    [Function(nameof(StartGpuJob))]
    public async Task<string> StartGpuJob([ActivityTrigger] StartGpuJobInput input, CancellationToken cancellationToken)
    {
        var run = input.Job.Run;
        // The engine may run an activity twice at once, on two instances of the app: the second finds what the first has started.
        await using var starting = await store.LockStartAsync(run, cancellationToken);
        // The job is stored after its start. If the activity dies in between, IGpuJobs.StartAsync finds the job in the next execution.
        if (await store.StartedAsync(run, cancellationToken) is { } started && started.Attempt == input.Attempt) return started.Name;
        var shards = await datasets.ReadShardsAsync(input.Dataset, cancellationToken);
        if (input.Corrections is { } corrections) shards = [.. shards, .. await datasets.ReadShardsAsync(corrections, cancellationToken)];
        await store.WriteJobAsync(input.Job with { Shards = shards }, cancellationToken);
        var name = await jobs.StartAsync(run, input.Attempt, cancellationToken);
        await store.RememberAsync(run, new StartedJob(name, input.Attempt, time.GetUtcNow()), cancellationToken);

        // Races with CancelRun, which marks the run and then stops the stored job: either it sees our job or we see its mark.
        if (await store.IsCancelledAsync(run, cancellationToken)) await jobs.StopAsync(name, cancellationToken);
        return name;
    }

    /// <summary>Reads the job's status, result and last heartbeat.</summary>
    [Function(nameof(ReadGpuJob))]
    public async Task<GpuJobReading> ReadGpuJob([ActivityTrigger] ReadGpuJobInput input, CancellationToken cancellationToken)
    {
        // The status is read before the result: a job that ends in between is seen as running with a result, not as lost.
        var status = await jobs.GetStatusAsync(input.Name, cancellationToken);
        var result = await store.ResultAsync(input.Run, cancellationToken);
        return new GpuJobReading(status, result, await store.HeartbeatAsync(input.Run, cancellationToken));
    }

    /// <summary>Stops a job that does not end by itself in time.</summary>
    [Function(nameof(StopGpuJob))]
    public async Task StopGpuJob([ActivityTrigger] StopGpuJobInput input, CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        while ((await jobs.GetStatusAsync(input.Name, cancellationToken)).State == GpuJobState.Running
            && time.GetElapsedTime(asked) < input.Grace)
        {
            await Task.Delay(StopPause, time, cancellationToken);
        }
        await jobs.StopAsync(input.Name, cancellationToken);
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Job">Without its shards, which are many.</param>
/// <param name="Dataset">The dataset that has them.</param>
/// <param name="Attempt">1 for the first start, more for restarts of a lost job.</param>
public sealed record StartGpuJobInput(TrainingJob Job, DatasetBlobs Dataset, int Attempt);

/// <param name="Name">The job's name, as <see cref="GpuJobActivities.StartGpuJob"/> returned it.</param>
public sealed record ReadGpuJobInput(string Run, string Name);

/// <summary>What is known of a run's job.</summary>
/// <param name="Result">How the run ended; null while there is no result.</param>
/// <param name="Heartbeat">The last one; null before the first.</param>
public sealed record GpuJobReading(GpuJobStatus Status, RunResult? Result, Heartbeat? Heartbeat);

/// <summary>Starts and watches the job that trains a run.</summary>
public sealed class GpuJobActivities(IGpuJobs jobs, RunState state, DatasetIngestion datasets, TimeProvider time)
{
    /// <summary>Starts the job, once per attempt even when the activity runs twice, and returns its name.</summary>
    [Function(nameof(StartGpuJob))]
    public async Task<string> StartGpuJob([ActivityTrigger] StartGpuJobInput input, CancellationToken cancellation)
    {
        var run = input.Job.Run;
        if (await state.StartedAsync(run, cancellation) is { } started && started.Attempt == input.Attempt) return started.Name;
        var shards = await datasets.ReadShardsAsync(input.Dataset, cancellation);
        await state.WriteJobAsync(input.Job with { Shards = shards }, cancellation);
        var name = await jobs.StartAsync(run, input.Attempt, cancellation);
        await state.RememberAsync(run, new StartedJob(name, input.Attempt, time.GetUtcNow()), cancellation);

        // Whoever cancels first marks the run and then stops the job that is remembered: one of the two sees the other.
        if (await state.IsCancelledAsync(run, cancellation)) await jobs.StopAsync(name, cancellation);
        return name;
    }

    /// <summary>Reads what the job left in storage, and whether it still runs.</summary>
    [Function(nameof(ReadGpuJob))]
    public async Task<GpuJobReading> ReadGpuJob([ActivityTrigger] ReadGpuJobInput input, CancellationToken cancellation)
    {
        // In this order, a job that ends in between is seen as running with a result, not as lost.
        var status = await jobs.GetStatusAsync(input.Name, cancellation);
        return new GpuJobReading(status, await state.ResultAsync(input.Run, cancellation), await state.HeartbeatAsync(input.Run, cancellation));
    }
}

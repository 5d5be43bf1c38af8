using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>Sends runs that have ended to Weights &amp; Biases: those that an outage, or WANDB_MODE, kept from there.</summary>
public static class EndedRun
{
    private static readonly TrackingTimes Times = WandbRun.Times with { Silence = TimeSpan.FromMinutes(5), End = TimeSpan.FromHours(1) };

    /// <summary>Sends from the run's documents in storage what the server lacks.</summary>
    /// <returns>URL of the run's page.</returns>
    /// <exception cref="TrainingException">The run has not ended, or the server did not take it.</exception>
    public static async Task<string> SendAsync(
        WandbOptions options, IRunStore store, TrainingJob job, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var blobs = new RunBlobs(job.Run);
        var json = await store.ReadAsync(Containers.Runs, blobs.Result, cancellationToken);
        if (json is null && await store.ReadAsync(Containers.Runs, blobs.Cancelled, cancellationToken) is null)
            throw new TrainingException($"{job.Run} has not ended: the worker that trains it tracks it.");
        var result = json is null ? null : JsonSerializer.Deserialize<TrainingResult>(json, PipelineJson.Options);
        // No system metrics: this is not the machine that trained.
        var run = new WandbRun(options, job, store, gpu: null, time, logger, Timeout.InfiniteTimeSpan);
        await using var tracker = new ServerTracker(run, job.Run, time, logger, Times);
        await tracker.EndAsync(result, cancellationToken);
        return tracker.Status is { Problem: null, Url: { } url } ? url
            : throw new TrainingException($"{job.Run} did not get to {options.Server}. {tracker.Status.Problem}");
    }
}

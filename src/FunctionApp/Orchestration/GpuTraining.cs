using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Trains a run from within an orchestrator: starts the GPU job, watches it, and restarts it when it is lost or preempted. A restarted job
/// resumes from the run's last checkpoint.
/// </summary>
internal static class GpuTraining
{
    // A worker that has written its result still reports to its trackers and sends its telemetry.
    private static readonly TimeSpan EndGrace = TimeSpan.FromMinutes(1);

    /// <param name="corrections">The corrections that the run trains on together with the dataset; null for none.</param>
    /// <param name="sweep">The sweep that may prune the run; null for none.</param>
    /// <exception cref="RunFailedException">The training failed, or its job exceeded the number of restarts.</exception>
    public static async Task<TrainingResult> RunAsync(
        TaskOrchestrationContext context, TrainingJob job, DatasetBlobs dataset, DatasetBlobs? corrections, GpuJobPolicy policy,
        Action<string, Heartbeat?> report, SweepMember? sweep = null)
    {
        var pruner = sweep is { Pruning.Rule: not PruningRule.None } ? new RunPruner(context, job.Run, sweep) : null;
        var (lost, preempted, furthest) = (0, 0, 0);
        report("starting the GPU job", null);
        for (var attempt = 1; ; attempt++)
        {
            var name = await context.CallActivityAsync<string>(
                nameof(GpuJobActivities.StartGpuJob), new StartGpuJobInput(job, dataset, attempt, corrections), Retries.Transient);
            var started = context.CurrentUtcDateTime;
            var reading = await WatchAsync(context, job.Run, name, policy, report, pruner);
            if (reading.Status is not { State: GpuJobState.Exited } or { ExitCode: GpuJobExit.Busy })
            {
                await StopAsync(context, new StopGpuJobInput(name, reading.Result is null ? TimeSpan.Zero : EndGrace));
            }
            if (reading.Result is { } result)
            {
                return result.Succeeded || result.Pruned is not null
                    ? result
                    : throw new RunFailedException($"The training failed: {result.Error}");
            }

            // A job that was killed after it came further than those before it is no failing one: a full fine-tuning has no time for a
            // checkpoint when its machine is taken away.
            var step = reading.Heartbeat is { } last && last.At.UtcDateTime >= started ? last.Step : 0;
            var killed = reading.Status.ExitCode == GpuJobExit.Killed && step > furthest;
            furthest = Math.Max(furthest, step);
            if (killed || IsPreempted(reading, started))
            {
                if (++preempted > policy.MaxPreemptions)
                    throw new RunFailedException($"The GPU job was preempted {preempted} times (setting GpuJobs:MaxPreemptions).");
                var count = $"{preempted} of {policy.MaxPreemptions}";
                report($"resuming from the checkpoint of the preempted GPU job ({count})", reading.Heartbeat);
                continue;
            }
            lost++;
            if (lost > policy.MaxRestarts || reading.Status.ExitCode == GpuJobExit.Usage)
                throw new RunFailedException($"The GPU job was lost{(lost > 1 ? $" {lost} times" : "")}: {Describe(reading.Status)}");
            report($"starting the lost GPU job again ({lost} of {policy.MaxRestarts})", reading.Heartbeat);
        }
    }

    // Not every service reports exit codes, so a last heartbeat that is newer than the job's start counts as well.
    private static bool IsPreempted(GpuJobReading reading, DateTime started) =>
        reading.Status.ExitCode == GpuJobExit.Preempted
        || (reading.Heartbeat is { Phase: Heartbeat.Preempted } last && last.At.UtcDateTime >= started);

    /// <summary>Polls the job until it has a result or is lost.</summary>
    private static async Task<GpuJobReading> WatchAsync(
        TaskOrchestrationContext context, string run, string name, GpuJobPolicy policy, Action<string, Heartbeat?> report,
        RunPruner? pruner)
    {
        var started = context.CurrentUtcDateTime;
        var seen = started;
#pragma warning disable DURABLE0011 // The loop ends with the watched job, and growing pauses keep the history short.
        while (true)
#pragma warning restore DURABLE0011
        {
            await context.CreateTimer(GpuJobPolicy.Pause(context.CurrentUtcDateTime - started), CancellationToken.None);
            var reading = await context.CallActivityAsync<GpuJobReading>(
                nameof(GpuJobActivities.ReadGpuJob), new ReadGpuJobInput(run, name), Retries.Transient);
            if (reading.Result is not null) return reading;

            // The heartbeat of an earlier attempt is older than this start and does not count.
            var lastSign = reading.Heartbeat is { } heartbeat && heartbeat.At.UtcDateTime > started ? heartbeat.At.UtcDateTime : started;
            var now = context.CurrentUtcDateTime;
            var silence = now - lastSign;
            var preempted = IsPreempted(reading, started);
            switch (reading.Status)
            {
                // Another worker trains the run: its heartbeats and its result count as those of this job.
                case { ExitCode: GpuJobExit.Busy } or { State: GpuJobState.Unknown }:
                    if (preempted || (silence > policy.HeartbeatTimeout && now - seen > policy.HeartbeatTimeout)) return reading;
                    break;
                case { State: GpuJobState.Exited }:
                    return reading;
                default:
                    if (silence > (preempted ? policy.HeartbeatTimeout : policy.SilenceTimeout)) return reading;
                    seen = now;
                    break;
            }
            var message = silence > policy.HeartbeatTimeout
                ? $"the GPU job has been silent for {silence.TotalMinutes:0} minutes"
                : "training";
            report(message, reading.Heartbeat);
            if (pruner is not null && await pruner.PruneAsync(name, reading.Heartbeat) is { } result)
                return reading with { Result = result };
        }
    }

    // Container Apps may call an execution running for ever, which costs a GPU.
    private static async Task StopAsync(TaskOrchestrationContext context, StopGpuJobInput stop)
    {
        try
        {
            await context.CallActivityAsync(nameof(GpuJobActivities.StopGpuJob), stop, Retries.Transient);
        }
        catch (TaskFailedException)
        {
            // No reason to fail a run: the lock on it keeps a job that cannot be stopped apart from the next one.
        }
    }

    private static string Describe(GpuJobStatus status)
    {
        var end = status switch
        {
            { State: GpuJobState.Unknown } => "nothing is known of it and it sent no heartbeat",
            { State: GpuJobState.Running } => "it sent no heartbeat (setting GpuJobs:SilenceTimeout) and was stopped",
            { ExitCode: { } code } => $"it ended with exit code {code} and left no result",
            _ => "it is gone and left no result",
        };
        if (status.Reason is not null) end += $" ({status.Reason})";
        return status.LastOutput is null ? $"{end}." : $"{end}. Its last output:\n{status.LastOutput}";
    }
}

/// <summary>Limits of a run's GPU job: heartbeat age and restarts.</summary>
/// <param name="MaxRestarts">Maximum number of restarts of a lost job.</param>
/// <param name="MaxPreemptions">Maximum number of restarts of a preempted job, one that was asked to stop and left a checkpoint.</param>
/// <param name="HeartbeatTimeout">Age of the last heartbeat from which a job of unknown state counts as lost.</param>
/// <param name="SilenceTimeout">
/// Time without a heartbeat after which a job that is said to run counts as lost; null, in inputs of earlier versions, for no limit.
/// </param>
public sealed record GpuJobPolicy(int MaxRestarts, int MaxPreemptions, TimeSpan HeartbeatTimeout, TimeSpan? SilenceTimeout = null)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Returns the pause before the next poll of a job.</summary>
    // A sixtieth of the job's age: from the first hour on a poll a minute, some 1,600 in the history for a day of training.
    public static TimeSpan Pause(TimeSpan running) => PollInterval.After(running, 60, LongestPause);
}

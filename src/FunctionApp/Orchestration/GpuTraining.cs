using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Trains a run from within an orchestrator: starts the GPU job, watches it, and restarts it when it is lost or preempted. A restarted job
/// resumes from the run's last checkpoint.
/// </summary>
internal static class GpuTraining
{
    // EX_USAGE of sysexits.h: the worker rejected its command line. A restart would be rejected as well.
    private const int UsageError = 64;

    // EX_TEMPFAIL of sysexits.h: the worker was asked to stop and left a checkpoint.
    private const int PreemptedExit = 75;

    /// <param name="corrections">The corrections that the run trains on together with the dataset; null for none.</param>
    /// <exception cref="RunFailedException">The training failed, or its job exceeded the number of restarts.</exception>
    public static async Task<TrainingResult> RunAsync(
        TaskOrchestrationContext context, TrainingJob job, DatasetBlobs dataset, DatasetBlobs? corrections, GpuJobPolicy policy,
        Action<string, Heartbeat?> report)
    {
        var (lost, preempted) = (0, 0);
        report("starting the GPU job", null);
        for (var attempt = 1; ; attempt++)
        {
            var name = await context.CallActivityAsync<string>(
                nameof(GpuJobActivities.StartGpuJob), new StartGpuJobInput(job, dataset, attempt, corrections), Retries.Transient);
            var started = context.CurrentUtcDateTime;
            var reading = await WatchAsync(context, job.Run, name, policy, report);
            if (reading.Result is { } result)
                return result.Succeeded ? result : throw new RunFailedException($"The training failed: {result.Error}");
            if (IsPreempted(reading, started))
            {
                if (++preempted > policy.MaxPreemptions)
                    throw new RunFailedException($"The GPU job was preempted {preempted} times (setting GpuJobs:MaxPreemptions).");
                var count = $"{preempted} of {policy.MaxPreemptions}";
                report($"resuming from the checkpoint of the preempted GPU job ({count})", reading.Heartbeat);
                continue;
            }
            lost++;
            if (lost > policy.MaxRestarts || reading.Status.ExitCode == UsageError)
                throw new RunFailedException($"The GPU job was lost{(lost > 1 ? $" {lost} times" : "")}: {Describe(reading.Status)}");
            report($"starting the lost GPU job again ({lost} of {policy.MaxRestarts})", reading.Heartbeat);
        }
    }

    // Not every service reports exit codes, so a last heartbeat that is newer than the job's start counts as well.
    private static bool IsPreempted(GpuJobReading reading, DateTime started) =>
        reading.Status.ExitCode == PreemptedExit
        || (reading is { Status.State: not GpuJobState.Running, Heartbeat: { Phase: Heartbeat.Preempted } last }
            && last.At.UtcDateTime >= started);

    /// <summary>Polls the job until it has a result or is lost.</summary>
    private static async Task<GpuJobReading> WatchAsync(
        TaskOrchestrationContext context, string run, string name, GpuJobPolicy policy, Action<string, Heartbeat?> report)
    {
        var started = context.CurrentUtcDateTime;
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
            var silence = context.CurrentUtcDateTime - lastSign;
            if (reading.Status.State == GpuJobState.Exited || IsPreempted(reading, started)) return reading;
            // A running job is left alone however silent it is: its own end, or a cancellation of the run, ends the watch.
            if (reading.Status.State == GpuJobState.Unknown && silence > policy.HeartbeatTimeout) return reading;
            var message = silence > policy.HeartbeatTimeout
                ? $"the GPU job has been silent for {silence.TotalMinutes:0} minutes"
                : "training";
            report(message, reading.Heartbeat);
        }
    }

    private static string Describe(GpuJobStatus status)
    {
        var end = status switch
        {
            { State: GpuJobState.Unknown } => "nothing is known of it and it sent no heartbeat",
            { ExitCode: { } code } => $"it ended with exit code {code} and left no result",
            _ => "it is gone and left no result",
        };
        return status.LastOutput is null ? $"{end}." : $"{end}. Its last output:\n{status.LastOutput}";
    }
}

/// <summary>Limits of a run's GPU job: heartbeat age and restarts.</summary>
/// <param name="MaxRestarts">Maximum number of restarts of a lost job.</param>
/// <param name="MaxPreemptions">Maximum number of restarts of a preempted job, one that was asked to stop and left a checkpoint.</param>
/// <param name="HeartbeatTimeout">Age of the last heartbeat from which a job of unknown state counts as lost.</param>
public sealed record GpuJobPolicy(int MaxRestarts, int MaxPreemptions, TimeSpan HeartbeatTimeout)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Returns the pause before the next poll of a job.</summary>
    // A sixtieth of the job's age: from the first hour on a poll a minute, some 1,600 in the history for a day of training.
    public static TimeSpan Pause(TimeSpan running) => PollInterval.After(running, 60, LongestPause);
}

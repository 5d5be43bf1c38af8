using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>The part of an orchestrator that has a run trained: starts the job, watches it, starts it again when it is lost.</summary>
internal static class GpuTraining
{
    // How the worker's command line says that it was called wrongly (sysexits.h); it will be the next time, too.
    private const int UsageError = 64;

    /// <exception cref="RunFailedException">The training failed, or its job was lost too often.</exception>
    public static async Task<RunResult> RunAsync(
        TaskOrchestrationContext context, TrainingJob job, GpuJobPolicy policy, Action<string, Heartbeat?> report)
    {
        for (var attempt = 1; ; attempt++)
        {
            report(attempt == 1 ? "starting the GPU job" : $"starting the lost GPU job again ({attempt - 1} of {policy.MaxRestarts})", null);
            var name = await context.CallActivityAsync<string>(nameof(GpuJobActivities.StartGpuJob), new StartGpuJobInput(job, attempt), Retries.Transient);
            var lost = await WatchAsync(context, job.Run, name, policy, report);
            if (lost.Result is { } result)
                return result.Succeeded ? result : throw new RunFailedException($"The training failed: {result.Error}");
            if (attempt > policy.MaxRestarts || lost.Status.ExitCode == UsageError)
                throw new RunFailedException($"The GPU job was lost{(attempt > 1 ? $" {attempt} times" : "")}: {Describe(lost.Status)}");
        }
    }

    /// <summary>Looks at the job until it has a result or is lost.</summary>
    private static async Task<GpuJobReading> WatchAsync(
        TaskOrchestrationContext context, string run, string name, GpuJobPolicy policy, Action<string, Heartbeat?> report)
    {
        var started = context.CurrentUtcDateTime;
        while (true)
        {
            await context.CreateTimer(GpuJobPolicy.Pause(context.CurrentUtcDateTime - started), CancellationToken.None);
            var reading = await context.CallActivityAsync<GpuJobReading>(nameof(GpuJobActivities.ReadGpuJob), new ReadGpuJobInput(run, name), Retries.Transient);
            if (reading.Result is not null) return reading;

            var lastSign = reading.Heartbeat is { } heartbeat && heartbeat.At.UtcDateTime > started ? heartbeat.At.UtcDateTime : started;
            var silence = context.CurrentUtcDateTime - lastSign;
            if (reading.Status.State == GpuJobState.Exited) return reading;
            if (reading.Status.State == GpuJobState.Unknown && silence > policy.HeartbeatTimeout) return reading;
            report(silence > policy.HeartbeatTimeout ? $"the GPU job has been silent for {silence.TotalMinutes:0} minutes" : "training", reading.Heartbeat);
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

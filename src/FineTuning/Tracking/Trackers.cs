using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking.Wandb;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>The trackers of a run: its own documents, and the tools that the environment names.</summary>
internal static class Trackers
{
    /// <summary>Creates the trackers of a run and logs which are on.</summary>
    public static IReadOnlyList<ITracker> Create(
        IRunStore store, TrainingJob job, TrainingJobRunnerOptions options, TimeProvider time, ILogger logger)
    {
        List<ITracker> trackers =
        [
            new MetricsFile(store, job.Run), new PredictionsFile(store, job.Run), new TensorBoardLog(store, job, time),
        ];
        if (MlflowOptions.Read(options.Variable, logger) is { } mlflow)
            trackers.Add(new ServerTracker(new MlflowRun(mlflow, store, job, time, logger), job.Run, time, logger));
        if (WandbOptions.Read(options.Variable, logger) is { } wandb)
        {
            var run = new WandbRun(wandb, job, store, NvidiaGpu.Find(), time, logger);
            trackers.Add(new ServerTracker(run, job.Run, time, logger, WandbRun.Times));
        }
        logger.TrackedBy(job.Run, string.Join(", ", trackers.Select(tracker => tracker.Status?.Name).OfType<string>()));
        return trackers;
    }
}

using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>The trackers of a run: its own documents, and the tools that the environment names.</summary>
internal static class Trackers
{
    /// <summary>Creates the trackers of a run and logs which are on.</summary>
    public static IReadOnlyList<ITracker> Create(
        IRunStore store, TrainingJob job, TrainingJobRunnerOptions options, TimeProvider time, ILogger logger)
    {
        ITrackingServer?[] servers =
        [
            MlflowOptions.Read(options.Variable, logger) is { } mlflow ? new MlflowRun(mlflow, store, job, time, logger) : null,
        ];
        List<ITracker> trackers =
        [
            new MetricsFile(store, job.Run),
            new PredictionsFile(store, job.Run),
            new TensorBoardLog(store, job, time),
            .. servers.OfType<ITrackingServer>().Select(server => new ServerTracker(server, job.Run, time, logger)),
        ];
        logger.TrackedBy(job.Run, string.Join(", ", trackers.Select(tracker => tracker.Status?.Name).OfType<string>()));
        return trackers;
    }
}

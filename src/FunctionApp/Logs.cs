using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp;

internal static partial class Logs
{
    [LoggerMessage(1, LogLevel.Information, "Run {Run} accepted: {Dataset} at {DatasetCommit}, {Model} at {ModelCommit}")]
    public static partial void RunAccepted(
        ILogger logger, string run, string dataset, string datasetCommit, string model, string modelCommit);

    [LoggerMessage(2, LogLevel.Information, "Run {Run} cancelled")]
    public static partial void RunCancelled(ILogger logger, string run);

    [LoggerMessage(3, LogLevel.Information, "GPU job {Job} started as process {Process}, output in {Path}")]
    public static partial void JobStarted(ILogger logger, string job, int process, string path);

    [LoggerMessage(4, LogLevel.Information, "GPU job {Job} stopped")]
    public static partial void JobStopped(ILogger logger, string job);

    [LoggerMessage(5, LogLevel.Information, "Image {Image} was changed or deleted meanwhile and is dropped")]
    public static partial void ImageGone(ILogger logger, string image);

    [LoggerMessage(6, LogLevel.Information, "Image {Image} {Status}: {Reason} ({Detail})")]
    public static partial void ImageNotRead(
        ILogger logger, string image, PredictionStatus status, string? reason, string? detail);

    [LoggerMessage(7, LogLevel.Information, "Image {Image}: '{Answer}' by {Model} in {Seconds} s")]
    public static partial void ImagePredicted(ILogger logger, string image, string? answer, string? model, double seconds);

    [LoggerMessage(8, LogLevel.Warning, "The containers cannot be created, trying again in {Seconds} s: {Reason}")]
    public static partial void StorageUnreachable(ILogger logger, double seconds, string reason);

    [LoggerMessage(9, LogLevel.Information, "Image {Image} waits {Seconds:0} s: {Reason}")]
    public static partial void ImageWaits(ILogger logger, string image, double seconds, string? reason);

    [LoggerMessage(11, LogLevel.Warning, "{Count} images had neither a document nor a reading; they are read now")]
    public static partial void ForgottenImagesFound(ILogger logger, int count);

    [LoggerMessage(10, LogLevel.Information, "Purged the history of {Count} readings of images")]
    public static partial void ReadingsPurged(ILogger logger, int count);

    [LoggerMessage(12, LogLevel.Information, "GPU job {Job} started as an execution of {ContainerAppsJob}")]
    public static partial void ExecutionStarted(ILogger logger, string job, string containerAppsJob);

    [LoggerMessage(13, LogLevel.Warning, "The status of GPU job {Job} cannot be read at the moment: {Reason}")]
    public static partial void JobUnreadable(ILogger logger, string job, string reason);

    [LoggerMessage(14, LogLevel.Information, "Sweep {Sweep} of {Runs} runs accepted: {Dataset} at {DatasetCommit}")]
    public static partial void SweepAccepted(ILogger logger, string sweep, int runs, string dataset, string datasetCommit);

    [LoggerMessage(15, LogLevel.Information, "Sweep {Sweep} cancelled")]
    public static partial void SweepCancelled(ILogger logger, string sweep);

    [LoggerMessage(16, LogLevel.Information, "Run {Run} {Reason}")]
    public static partial void RunPruned(ILogger logger, string run, string reason);

    [LoggerMessage(15, LogLevel.Information, "Retraining for {Cause}: {Outcome}, {Reason}")]
    public static partial void RetrainingDecided(ILogger logger, string cause, RetrainingOutcome outcome, string reason);
}

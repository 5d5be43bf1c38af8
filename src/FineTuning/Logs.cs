using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

internal static partial class Logs
{
    [LoggerMessage(1, LogLevel.Warning, "Heartbeat and metrics could not be written; trying again at the next beat.")]
    public static partial void ReportFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Information,
        "Run {Run}: {Training} training, {Validation} validation and {Test} test samples, {Dropped} left out as too long; "
        + "{Parameters} parameters are trained, in {Steps} steps at most.")]
    public static partial void Starting(
        this ILogger logger, string run, int training, int validation, int test, int dropped, long parameters, int steps);

    [LoggerMessage(3, LogLevel.Error, "Run {Run} failed.")]
    public static partial void Failed(this ILogger logger, string run, Exception exception);

    [LoggerMessage(4, LogLevel.Warning,
        "The checkpoint of run {Run} at step {Step} is incomplete and is removed; an older one is looked for.")]
    public static partial void CheckpointNotWhole(this ILogger logger, string run, int step);

    [LoggerMessage(5, LogLevel.Information, "Run {Run} resumes from its checkpoint at step {Step}.")]
    public static partial void Resuming(this ILogger logger, string run, int step);

    [LoggerMessage(6, LogLevel.Information, "Run {Run} was asked to stop and left a checkpoint at step {Step}.")]
    public static partial void Preempted(this ILogger logger, string run, int step);

    [LoggerMessage(7, LogLevel.Warning, "Tracking by {Tool} on {Server} does not work at the moment; training continues. {Reason}")]
    public static partial void TrackingFailed(this ILogger logger, string tool, Uri server, string reason);

    [LoggerMessage(8, LogLevel.Warning, "Not everything about run {Run} reached {Tool} on {Server} in time.")]
    public static partial void TrackingIncomplete(this ILogger logger, string run, string tool, Uri server);

    [LoggerMessage(9, LogLevel.Warning,
        "The run is not tracked: MLFLOW_TRACKING_URI is '{Server}', but must begin with http://, https:// or azureml://.")]
    public static partial void MlflowUnusable(this ILogger logger, string server);

    [LoggerMessage(10, LogLevel.Information, "A checkpoint of run {Run} takes {Gigabytes:0.000} GB.")]
    public static partial void CheckpointSize(this ILogger logger, string run, double gigabytes);

    [LoggerMessage(11, LogLevel.Warning,
        "A checkpoint of run {Run} takes {Gigabytes:0.0} GB, too much to be stored in the {Seconds} seconds between SIGTERM and the end of "
        + "the process on a machine that is taken away. The run then resumes from a checkpoint up to {Minutes:0.#} minutes old "
        + "(training.checkpointEveryMinutes). Checkpoints of the method lora are small enough.")]
    public static partial void CheckpointTooLarge(this ILogger logger, string run, double gigabytes, int seconds, double minutes);

    [LoggerMessage(12, LogLevel.Information, "Run {Run} is tracked by {Tools}.")]
    public static partial void TrackedBy(this ILogger logger, string run, string tools);

    [LoggerMessage(13, LogLevel.Information, "Run {Run} is on {Tool} now: {Page}")]
    public static partial void TrackedOn(this ILogger logger, string run, string tool, string page);

    [LoggerMessage(14, LogLevel.Warning,
        "The gallery and the model of run {Run} do not get to MLflow: its artifacts are in {ArtifactUri}, a store that the worker does not "
        + "write to. Artifacts go through a server that was started with --serve-artifacts (URIs mlflow-artifacts:).")]
    public static partial void MlflowStoreUnsupported(this ILogger logger, string run, string artifactUri);

    [LoggerMessage(15, LogLevel.Warning, "The run is not tracked on Weights & Biases: {Problem}.")]
    public static partial void WandbUnusable(this ILogger logger, string problem);

    [LoggerMessage(16, LogLevel.Information, "The run is not tracked on Weights & Biases: WANDB_MODE is {Mode}.")]
    public static partial void WandbOff(this ILogger logger, string mode);

    [LoggerMessage(17, LogLevel.Warning, "The use of the machine cannot be measured and is not tracked from now on.")]
    public static partial void SystemMetricsFailed(this ILogger logger, Exception exception);

    [LoggerMessage(18, LogLevel.Warning,
        "Answers of run {Run}'s validation split take up to {Longest} tokens, but the model may generate {Most}: longer ones are cut off "
        + "and count as wrong. Raise training.maxAnswerTokens.")]
    public static partial void AnswersTooLong(this ILogger logger, string run, int longest, int most);

    [LoggerMessage(19, LogLevel.Warning,
        "The answer template of run {Run} reads the answers of {Count} samples with other values than they are written with, the first of "
        + "{First}: a text that holds the label of a later field ends there. The model learns them, but such answers count as wrong. "
        + "Choose labels in training.answerTemplate that no text has.")]
    public static partial void AnswersMisread(this ILogger logger, string run, int count, string? first);
}

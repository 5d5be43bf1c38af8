using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

internal static partial class Logs
{
    [LoggerMessage(1, LogLevel.Warning, "Heartbeat and metrics could not be written; trying again at the next beat.")]
    public static partial void ReportFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Information,
        "Run {Run}: {Training} training and {Validation} validation samples, {Parameters} parameters, {Steps} steps at most.")]
    public static partial void Starting(this ILogger logger, string run, int training, int validation, long parameters, int steps);

    [LoggerMessage(3, LogLevel.Error, "Run {Run} failed.")]
    public static partial void Failed(this ILogger logger, string run, Exception exception);
}

using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost;

/// <summary>The host's log lines.</summary>
internal static partial class Logs
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Local host of {Functions} functions listens on {Address}")]
    public static partial void Listening(ILogger logger, int functions, Uri address);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Method} {Path} → {Status} ({Milliseconds:F0} ms)")]
    public static partial void Request(ILogger logger, string method, string path, int status, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "Function {Function} failed")]
    public static partial void FunctionFailed(ILogger logger, string function, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Orchestrator} {Instance} started")]
    public static partial void OrchestrationStarted(ILogger logger, string orchestrator, string instance);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Orchestrator} {Instance} completed")]
    public static partial void OrchestrationCompleted(ILogger logger, string orchestrator, string instance);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Orchestrator} {Instance} failed: {Failure}")]
    public static partial void OrchestrationFailed(ILogger logger, string orchestrator, string instance, string failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Orchestrator} {Instance} was terminated")]
    public static partial void OrchestrationTerminated(ILogger logger, string orchestrator, string instance);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Orchestrator} {Instance} continues as new")]
    public static partial void OrchestrationContinued(ILogger logger, string orchestrator, string instance);

    [LoggerMessage(Level = LogLevel.Error, Message = "A turn of {Instance} could not be run; it will be tried again")]
    public static partial void TurnFailed(ILogger logger, string instance, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Activity} (#{Task} of {Instance}) completed in {Seconds:F1} s")]
    public static partial void ActivityCompleted(ILogger logger, string activity, int task, string instance, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Activity} (#{Task} of {Instance}) failed: {Type}: {Error}")]
    public static partial void ActivityFailed(ILogger logger, string activity, int task, string instance, string type, string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Function} handled {Blob} in {Seconds:F1} s")]
    public static partial void BlobHandled(ILogger logger, string function, string blob, double seconds);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Function} failed on {Blob} (try {Try} of {Tries}), again in {Seconds:F0} s: {Error}")]
    public static partial void BlobFailed(ILogger logger, string function, string blob, int @try, int tries, double seconds, string error);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Function} failed on {Blob} {Tries} times and is not tried again; the blob is recorded as poison: {Error}")]
    public static partial void BlobPoisoned(ILogger logger, string function, string blob, int tries, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Container {Container} cannot be watched: {Error}")]
    public static partial void ContainerUnreachable(ILogger logger, string container, string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "Container {Container} is watched for {Function}")]
    public static partial void ContainerWatched(ILogger logger, string container, string function);
}

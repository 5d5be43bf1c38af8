using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost;

/// <summary>Log messages of the host.</summary>
internal static partial class Logs
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Host of {Functions} functions listens on {Address}")]
    public static partial void Listening(ILogger logger, int functions, Uri address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Function {Function} cannot run here: {Reason}")]
    public static partial void CannotRun(ILogger logger, string function, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Method} {Path} → {Status} ({Milliseconds:F0} ms)")]
    public static partial void Request(ILogger logger, string method, string path, int status, double milliseconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "The worker does not load {Function}: {Reason}")]
    public static partial void FunctionNotLoaded(ILogger logger, string function, string? reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Worker process {ProcessId} runs {Functions} functions")]
    public static partial void WorkerStarted(ILogger logger, int processId, int functions);

    [LoggerMessage(Level = LogLevel.Error, Message = "The worker ended ({End}). Another one is started in {Seconds:F1} s")]
    public static partial void WorkerEnded(ILogger logger, string end, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The worker did not end within {Seconds:F0} s and is killed")]
    public static partial void WorkerKilled(ILogger logger, double seconds);

    [LoggerMessage(Message = "{Line}")]
    public static partial void OfWorker(ILogger logger, LogLevel level, string line);
}

namespace FunctionsPipeline.GpuWorker;

internal static partial class Logs
{
    [LoggerMessage(1, LogLevel.Information, "{State}")]
    public static partial void ModelState(this ILogger logger, string state);

    [LoggerMessage(2, LogLevel.Information, "{Image}: {Answer}, {Seconds:0.00} s.")]
    public static partial void Predicted(this ILogger logger, string image, string answer, double seconds);

    [LoggerMessage(3, LogLevel.Information, "{Image} rejected: {Reason}, {Detail}.")]
    public static partial void Rejected(this ILogger logger, string image, string reason, string detail);

    [LoggerMessage(4, LogLevel.Error, "Model {Version} cannot be used; it is tried again in {Seconds} s, or when another is published.")]
    public static partial void ModelUnusable(this ILogger logger, Exception exception, string version, double seconds);

    [LoggerMessage(5, LogLevel.Information, "Model {Version} is freed before the next one is loaded.")]
    public static partial void ModelDrained(this ILogger logger, string version);

    [LoggerMessage(6, LogLevel.Warning, "{Folder} was not removed from the cache: {Reason}")]
    public static partial void ModelNotRemoved(this ILogger logger, string folder, string reason);

    [LoggerMessage(7, LogLevel.Warning, "A batch of {Images} images failed; they are answered one by one.")]
    public static partial void BatchFailed(this ILogger logger, Exception exception, int images);

    [LoggerMessage(8, LogLevel.Error, "An answer that is streamed failed.")]
    public static partial void StreamFailed(this ILogger logger, Exception exception);
}

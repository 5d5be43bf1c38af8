namespace FunctionsPipeline.GpuWorker;

internal static partial class Logs
{
    [LoggerMessage(1, LogLevel.Information, "Serving model {Version}.")]
    public static partial void ModelLoaded(this ILogger logger, string version);

    [LoggerMessage(2, LogLevel.Information, "{Image}: {Answer}, {Seconds:0.00} s.")]
    public static partial void Predicted(this ILogger logger, string image, string answer, double seconds);

    [LoggerMessage(3, LogLevel.Information, "{Image} rejected: {Reason}, {Detail}.")]
    public static partial void Rejected(this ILogger logger, string image, string reason, string detail);
}

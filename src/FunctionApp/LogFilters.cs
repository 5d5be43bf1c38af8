using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp;

/// <summary>The log records of libraries that are kept. Filters in host.json do not reach what the worker logs.</summary>
public static class LogFilters
{
    /// <summary>Keeps warnings of the libraries, and nothing of what they do for every request.</summary>
    public static ILoggingBuilder AddLogFilters(this ILoggingBuilder logging) => logging
        .AddFilter("Azure", LogLevel.Warning)
        // Azure.Core warns of every 404, and asking whether a blob is there is an ordinary thing to do. What fails for good is thrown.
        .AddFilter("Azure.Core", LogLevel.Error)
        .AddFilter("System.Net.Http", LogLevel.Warning)
        .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
        .AddFilter("Microsoft.DurableTask", LogLevel.Warning);
}

using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp;

/// <summary>Log filters for the libraries in the worker. Filters in host.json do not apply to records that the worker writes.</summary>
public static class LogFilters
{
    /// <summary>Keeps warnings of the libraries and drops their record of every request.</summary>
    public static ILoggingBuilder AddLogFilters(this ILoggingBuilder logging) => logging
        .AddFilter("Azure", LogLevel.Warning)
        // Azure.Core warns of every 404, which an existence check causes on purpose. Requests that fail for good throw.
        .AddFilter("Azure.Core", LogLevel.Error)
        .AddFilter("System.Net.Http", LogLevel.Warning)
        .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
        .AddFilter("Microsoft.DurableTask", LogLevel.Warning);
}

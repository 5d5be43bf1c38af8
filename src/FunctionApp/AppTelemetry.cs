using FunctionsPipeline.Contracts;
using FunctionsPipeline.Telemetry;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace FunctionsPipeline.FunctionApp;

/// <summary>Registers the app's own traces, metrics and logs, in addition to those of the Functions host.</summary>
public static class AppTelemetry
{
    private const string ServiceName = "functions-pipeline";

    // The Durable Task client propagates the trace of an HTTP request to the orchestration that the request starts.
    private const string DurableTaskSource = "Microsoft.DurableTask";

    /// <summary>Counts failed function calls and exports telemetry to the configured endpoints.</summary>
    public static FunctionsApplicationBuilder AddAppTelemetry(this FunctionsApplicationBuilder builder)
    {
        builder.UseMiddleware<FailureCounter>();
        // UseFunctionsWorkerDefaults tells the host that the worker exports its own telemetry; otherwise both would report the same calls.
        builder.Services.AddTelemetry(builder.Configuration, ServiceName)?
            .UseFunctionsWorkerDefaults()
            .WithTracing(tracing => tracing.AddSource(DurableTaskSource));
        return builder;
    }
}

/// <summary>Middleware that counts failed function calls.</summary>
public sealed class FailureCounter : IFunctionsWorkerMiddleware
{
    /// <inheritdoc/>
    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        try
        {
            await next(context);
        }
        // A call that the host cancels has not failed. A timeout of HttpClient is an OperationCanceledException too, and counts.
        catch (Exception e) when (e is not OperationCanceledException || !context.CancellationToken.IsCancellationRequested)
        {
            PipelineMetrics.CountFailure(context.FunctionDefinition.Name, e.GetType());
            throw;
        }
    }
}

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

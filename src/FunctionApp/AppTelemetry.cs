using FunctionsPipeline.Telemetry;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Hosting;
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

using FunctionsPipeline.Telemetry;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;

namespace FunctionsPipeline.FunctionApp;

/// <summary>The app's own traces, metrics and logs, beside those of the Functions host.</summary>
public static class AppTelemetry
{
    private const string ServiceName = "functions-pipeline";

    // Its client hands the trace of a request to the orchestration that the request starts.
    private const string DurableTaskSource = "Microsoft.DurableTask";

    /// <summary>Counts failures, and sends telemetry where the settings say.</summary>
    public static FunctionsApplicationBuilder AddAppTelemetry(this FunctionsApplicationBuilder builder)
    {
        builder.UseMiddleware<FailureCounter>();
        // The host and the worker share the telemetry out between them, for which the host must know that the worker sends its own.
        builder.Services.AddTelemetry(builder.Configuration, ServiceName)?
            .UseFunctionsWorkerDefaults()
            .WithTracing(tracing => tracing.AddSource(DurableTaskSource));
        return builder;
    }
}

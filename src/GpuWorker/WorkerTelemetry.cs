using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Telemetry;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.GpuWorker;

/// <summary>Registers the worker's traces, metrics and logs.</summary>
internal static class WorkerTelemetry
{
    private const string ServiceName = "functions-pipeline-gpu-worker";

    /// <summary>
    /// Exports telemetry to the configured endpoints. Requests continue the trace in their headers; health probes are not traced.
    /// </summary>
    public static void AddWorkerTelemetry(this IServiceCollection services, IConfiguration configuration) =>
        services.AddTelemetry(configuration, ServiceName)?.WithTracing(tracing => tracing.AddAspNetCoreInstrumentation(
            requests => requests.Filter = context => !PredictionServer.IsProbe(context.Request.Path)));
}

using FunctionsPipeline.Telemetry;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.GpuWorker;

/// <summary>The worker's traces, metrics and logs.</summary>
internal static class WorkerTelemetry
{
    private const string ServiceName = "functions-pipeline-gpu-worker";

    /// <summary>Sends telemetry where the settings say. Requests continue the trace in their header; health probes make none.</summary>
    public static void AddWorkerTelemetry(this IServiceCollection services, IConfiguration configuration) =>
        services.AddTelemetry(configuration, ServiceName)?.WithTracing(tracing => tracing.AddAspNetCoreInstrumentation(
            requests => requests.Filter = context => context.Request.Path != "/healthz"));
}

using System.Diagnostics.Metrics;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Telemetry;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.GpuWorker;

/// <summary>Registers the worker's traces, metrics and logs.</summary>
internal static class WorkerTelemetry
{
    private const string ServiceName = "functions-pipeline-gpu-worker";

    // Of the whole process: an exporter that starts later reports the time before as well.
    private static readonly long Started = TimeProvider.System.GetTimestamp();
    private static readonly Meter Meter = new(PipelineMetrics.MeterName);
    private static readonly ObservableCounter<double> Time = Meter.CreateObservableCounter(
        "pipeline.worker.time", () => TimeProvider.System.GetElapsedTime(Started).TotalSeconds, "s",
        "Time that workers have run, each with a GPU of its own.");

    /// <summary>
    /// Exports telemetry to the configured endpoints. Requests continue the trace in their headers; health probes are not traced.
    /// </summary>
    public static void AddWorkerTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        // Creates the instrument, once in a process.
        _ = Time;
        services.AddTelemetry(configuration, ServiceName)?.WithTracing(tracing => tracing.AddAspNetCoreInstrumentation(
            requests => requests.Filter = context => !PredictionServer.IsProbe(context.Request.Path)));
    }
}

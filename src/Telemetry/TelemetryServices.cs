using Azure.Monitor.OpenTelemetry.Exporter;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.Telemetry;

/// <summary>Sends traces, metrics and logs of a process to where its settings say.</summary>
public static class TelemetryServices
{
    /// <summary>Turns the OTLP exporter on; its other settings are those of OpenTelemetry, <c>OTEL_EXPORTER_OTLP_…</c>.</summary>
    public const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Turns the exporter to Azure Monitor on.</summary>
    public const string AzureMonitor = "APPLICATIONINSIGHTS_CONNECTION_STRING";

    private const string ServiceName = "OTEL_SERVICE_NAME";

    /// <summary>Registers the exporters whose settings are there.</summary>
    /// <param name="service">The name that the process has in traces, unless <c>OTEL_SERVICE_NAME</c> gives it one.</param>
    /// <returns>Where more sources are added; null when there is no exporter, and nothing was registered.</returns>
    public static OpenTelemetryBuilder? AddTelemetry(this IServiceCollection services, IConfiguration configuration, string service)
    {
        var (otlp, azure) = (IsSet(configuration, OtlpEndpoint), IsSet(configuration, AzureMonitor));
        if (!otlp && !azure) return null;
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(configuration[ServiceName] ?? service))
            .WithTracing(tracing => tracing.AddSource(PipelineTracing.SourceName))
            .WithMetrics(metrics => metrics.AddMeter(PipelineMetrics.MeterName));
        if (otlp) telemetry.UseOtlpExporter();
        if (azure) telemetry.UseAzureMonitorExporter(options => options.ConnectionString = configuration[AzureMonitor]);
        return telemetry;
    }

    /// <summary>
    /// Begins to listen in a process that has services but starts no host. What was heard is sent when the services are disposed.
    /// </summary>
    public static void StartTelemetry(this IServiceProvider services)
    {
        _ = services.GetService<TracerProvider>();
        _ = services.GetService<MeterProvider>();
    }

    private static bool IsSet(IConfiguration configuration, string setting) => !string.IsNullOrWhiteSpace(configuration[setting]);
}

using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.Telemetry;

/// <summary>Exports traces, metrics and logs of a process to the endpoints in its settings.</summary>
public static class TelemetryServices
{
    /// <summary>Setting that enables the OTLP exporter; its other settings are OpenTelemetry's own <c>OTEL_EXPORTER_OTLP_…</c>.</summary>
    public const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Setting that enables the Azure Monitor exporter.</summary>
    public const string AzureMonitor = "APPLICATIONINSIGHTS_CONNECTION_STRING";

    /// <summary>
    /// Setting with the identity for Azure Monitor, as the Functions host reads it: <c>Authorization=AAD</c>, and <c>ClientId=…</c> for one
    /// managed identity of several. Without it the connection string is enough.
    /// </summary>
    public const string AzureMonitorIdentity = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";

    private const string ServiceName = "OTEL_SERVICE_NAME";

    /// <summary>Registers the exporters that the settings enable.</summary>
    /// <param name="service">Service name of the process in traces, unless <c>OTEL_SERVICE_NAME</c> is set.</param>
    /// <exception cref="InvalidOperationException">The setting <see cref="AzureMonitorIdentity"/> has a mistake.</exception>
    /// <returns>Builder for more sources; null when no exporter is enabled, in which case nothing is registered.</returns>
    public static OpenTelemetryBuilder? AddTelemetry(this IServiceCollection services, IConfiguration configuration, string service)
    {
        var (otlp, azure) = (IsSet(configuration, OtlpEndpoint), IsSet(configuration, AzureMonitor));
        if (!otlp && !azure) return null;
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(configuration[ServiceName] ?? service))
            .WithTracing(tracing => tracing.AddSource(PipelineTracing.SourceName))
            .WithMetrics(metrics => metrics.AddMeter(PipelineMetrics.MeterName));
        // Both calls cover traces, metrics and logs; logging needs no registration of its own.
        if (otlp) telemetry.UseOtlpExporter();
        if (azure)
        {
            var credential = IsSet(configuration, AzureMonitorIdentity) ? Credential(configuration[AzureMonitorIdentity]!) : null;
            telemetry.UseAzureMonitorExporter(options =>
            {
                options.ConnectionString = configuration[AzureMonitor];
                options.Credential = credential;
            });
        }
        return telemetry;
    }

    /// <summary>
    /// Starts the exporters in a process that has services but no host. Disposing the services sends the collected telemetry.
    /// </summary>
    public static void StartTelemetry(this IServiceProvider services)
    {
        // A hosted service of OpenTelemetry does the same where a host starts. The logger factory creates the log exporter by itself.
        _ = services.GetService<TracerProvider>();
        _ = services.GetService<MeterProvider>();
    }

    private static ManagedIdentityCredential Credential(string setting)
    {
        var parts = setting.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).ToDictionary(part => part[0], part => part[^1], StringComparer.OrdinalIgnoreCase);
        if (!string.Equals(parts.GetValueOrDefault("Authorization"), "AAD", StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException($"{AzureMonitorIdentity} must be Authorization=AAD or ClientId=ID;Authorization=AAD.");
        return new ManagedIdentityCredential(parts.TryGetValue("ClientId", out var client)
            ? ManagedIdentityId.FromUserAssignedClientId(client)
            : ManagedIdentityId.SystemAssigned);
    }

    private static bool IsSet(IConfiguration configuration, string setting) => !string.IsNullOrWhiteSpace(configuration[setting]);
}

using Azure.Core;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Http;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Extensions.DurableTask;
using Microsoft.Azure.WebJobs.Extensions.Timers;
using Microsoft.Azure.WebJobs.Host.Config;
using Microsoft.Azure.WebJobs.Host.Timers;
using Microsoft.Extensions.Azure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Configures the WebJobs SDK with the extensions of the Azure Functions host: triggers for blobs, queues and timers, and Durable Task.
/// </summary>
internal static class FunctionJobs
{
    // Configuration section in which the SDK and its extensions expect host.json.
    private const string HostJsonSection = "AzureFunctionsJobHost";

    // Overrides of host.json, whose values suit Azure: lower latency with Azurite on one machine. Measured with './pipeline bench host'.
    private static readonly Dictionary<string, string?> LocalSettings = new()
    {
        ["extensions:durableTask:storageProvider:partitionCount"] = "1",
        ["extensions:durableTask:storageProvider:maxQueuePollingInterval"] = "00:00:00.100",
        ["extensions:durableTask:storageProvider:useTablePartitionManagement"] = "true",
        // Time until the work items of a killed host are processed again. The extension's minimum for the control queue is one minute.
        ["extensions:durableTask:storageProvider:workItemQueueVisibilityTimeout"] = "00:00:15",
        ["extensions:durableTask:storageProvider:controlQueueVisibilityTimeout"] = "00:01:00",
        ["extensions:durableTask:extendedSessionsEnabled"] = "true",
        ["extensions:durableTask:useAppLease"] = "false",
    };

    /// <param name="hostJson">The app's host.json as <see cref="ReadHostJson"/> returns it.</param>
    /// <param name="settings">App settings with the environment, which take precedence over host.json.</param>
    /// <param name="port">The host's port, which distinguishes hosts on one machine.</param>
    /// <param name="functions">The class with the emitted functions.</param>
    /// <param name="failures">Receives the failures that end the host.</param>
    public static IHost Create(
        IReadOnlyDictionary<string, string?> hostJson, IConfiguration settings, int port, Type functions, WebHooks hooks,
        FailureHandler failures, Action<ILoggingBuilder> configureLogging)
    {
        var firstListed = new FirstListed();
        return new HostBuilder()
            .ConfigureWebJobs(
                jobs => jobs.AddAzureStorageCoreServices().AddDurableTask().AddAzureStorageBlobs().AddAzureStorageQueues().AddTimers())
            .ConfigureAppConfiguration(configuration => configuration
                .AddInMemoryCollection(hostJson.Concat(LocalSettings)
                    .Select(setting => KeyValuePair.Create(ConfigurationPath.Combine(HostJsonSection, setting.Key), setting.Value)))
                .AddConfiguration(settings)
                .AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["AzureWebJobsConfigurationSection"] = HostJsonSection,
                    ["AzureFunctionsWebHost:hostid"] = "localhost",
                    // Without this setting, the extension neither dispatches orchestrations to a worker nor opens its gRPC listener.
                    ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
                    ["CONTAINER_NAME"] = "",
                    // Owner name of the orchestrations' leases. Hosts must differ in it, or two of them would run the same orchestrations;
                    // a restarted host must keep it, so that it reclaims its leases at once.
                    ["WEBSITE_CURRENT_STAMPNAME"] = Environment.MachineName,
                    ["RoleInstanceId"] = $"{port}",
                }))
            .ConfigureLogging(configureLogging)
            .ConfigureServices(services => services.AddAzureClients(clients => clients.ConfigureDefaults(options =>
            {
                if (options is BlobClientOptions) options.AddPolicy(firstListed, HttpPipelinePosition.PerCall);
            })))
            .ConfigureServices(services => services
                .AddSingleton<IHostLifetime, EmbeddedLifetime>()
                .AddSingleton<ITypeLocator>(new OneType(functions))
                .AddSingleton<IWebJobsExceptionHandler>(failures)
                // The extension's own ScheduleMonitor was built for an older Host.Storage and fails to load with this one.
                .AddSingleton<ScheduleMonitor>(_ => new FileSystemScheduleMonitor())
#pragma warning disable CS0618 // see WebHooks
                .AddSingleton<IWebHookProvider>(hooks)
#pragma warning restore CS0618
                .Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5)))
            .Build();
    }

    /// <summary>Reads host.json as flat settings, such as <c>extensions:http:routePrefix</c>.</summary>
    /// <exception cref="InvalidOperationException">The file is missing or not valid JSON.</exception>
    public static IReadOnlyDictionary<string, string?> ReadHostJson(string path)
    {
        try
        {
            return new ConfigurationBuilder().AddJsonFile(path).Build().AsEnumerable()
                .Where(setting => setting.Value is not null).ToDictionary(StringComparer.OrdinalIgnoreCase);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"{path} cannot be read: {e.InnerException?.Message ?? e.Message}", e);
        }
    }

    private sealed class OneType(Type type) : ITypeLocator
    {
        public IReadOnlyList<Type> GetTypes() => [type];
    }
}

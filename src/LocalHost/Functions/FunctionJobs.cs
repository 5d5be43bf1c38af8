using FunctionsPipeline.LocalHost.Http;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Extensions.DurableTask;
using Microsoft.Azure.WebJobs.Extensions.Timers;
using Microsoft.Azure.WebJobs.Host.Config;
using Microsoft.Azure.WebJobs.Host.Timers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>The WebJobs SDK with the extensions that the Azure Functions host has: it watches blobs, queues and clocks, and runs orchestrations.</summary>
internal static class FunctionJobs
{
    // Where the SDK looks for what host.json says.
    private const string HostJsonSection = "AzureFunctionsJobHost";

    // What makes Azurite on one machine pleasant; host.json has what is right for Azure. Measured with './pipeline bench host'.
    private static readonly Dictionary<string, string?> LocalSettings = new()
    {
        ["extensions:durableTask:storageProvider:partitionCount"] = "1",
        ["extensions:durableTask:storageProvider:maxQueuePollingInterval"] = "00:00:00.100",
        ["extensions:durableTask:storageProvider:useTablePartitionManagement"] = "true",
        // What a killed host was doing is done again after this time. The extension takes no less than a minute for the control queue.
        ["extensions:durableTask:storageProvider:workItemQueueVisibilityTimeout"] = "00:00:15",
        ["extensions:durableTask:storageProvider:controlQueueVisibilityTimeout"] = "00:01:00",
        ["extensions:durableTask:extendedSessionsEnabled"] = "true",
        ["extensions:durableTask:useAppLease"] = "false",
    };

    /// <param name="hostJson">Path of the app's host.json.</param>
    /// <param name="settings">App settings; they come before the environment.</param>
    /// <param name="port">The host's port, by which the hosts on one machine are told apart.</param>
    /// <param name="functions">The class with the emitted functions.</param>
    /// <param name="failures">Is told what ends the host.</param>
    public static IHost Create(
        string hostJson, IReadOnlyDictionary<string, string?> settings, int port, Type functions, WebHooks hooks,
        FailureHandler failures, Action<ILoggingBuilder> configureLogging)
    {
        return new HostBuilder()
            .ConfigureWebJobs(
                jobs => jobs.AddAzureStorageCoreServices().AddDurableTask().AddAzureStorageBlobs().AddAzureStorageQueues().AddTimers())
            .ConfigureAppConfiguration(configuration => configuration
                .AddInMemoryCollection(ReadHostJson(hostJson).Concat(LocalSettings)
                    .Select(setting => KeyValuePair.Create(ConfigurationPath.Combine(HostJsonSection, setting.Key), setting.Value)))
                .AddEnvironmentVariables()
                .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key.Replace("__", ":", StringComparison.Ordinal), setting.Value)))
                .AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["AzureWebJobsConfigurationSection"] = HostJsonSection,
                    ["AzureFunctionsWebHost:hostid"] = "localhost",
                    // Without it, the extension neither hands orchestrations to a worker nor opens its gRPC listener.
                    ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
                    ["CONTAINER_NAME"] = "",
                    // The name under which a host owns orchestrations. With one name, two hosts would run the same ones; with the same name
                    // as before, a host that was killed has them back at once.
                    ["WEBSITE_CURRENT_STAMPNAME"] = Environment.MachineName,
                    ["RoleInstanceId"] = $"{port}",
                }))
            .ConfigureLogging(configureLogging)
            .ConfigureServices(services => services
                .AddSingleton<IHostLifetime, EmbeddedLifetime>()
                .AddSingleton<ITypeLocator>(new OneType(functions))
                .AddSingleton<IWebJobsExceptionHandler>(failures)
                // The monitor of timers that the extension brings was built for an older Host.Storage and does not load beside this one.
                .AddSingleton<ScheduleMonitor>(_ => new FileSystemScheduleMonitor())
#pragma warning disable CS0618 // see WebHooks
                .AddSingleton<IWebHookProvider>(hooks)
#pragma warning restore CS0618
                .Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5)))
            .Build();
    }

    /// <summary>Reads host.json into flat settings, such as <c>extensions:http:routePrefix</c>.</summary>
    /// <exception cref="InvalidOperationException">The file is missing or no JSON.</exception>
    public static IEnumerable<KeyValuePair<string, string?>> ReadHostJson(string path)
    {
        try
        {
            return [.. new ConfigurationBuilder().AddJsonFile(path).Build().AsEnumerable().Where(setting => setting.Value is not null)];
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

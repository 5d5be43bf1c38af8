using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Xml.Linq;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
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
internal static class WebJobsHost
{
    // Configuration section in which the SDK and its extensions expect host.json.
    private const string HostJsonSection = "AzureFunctionsJobHost";

    // Overrides of host.json, whose values suit Azure: lower latency with Azurite on one machine. Measured with './pipeline bench host'.
    private static readonly Dictionary<string, string?> LocalSettings = new()
    {
        ["extensions:durableTask:storageProvider:partitionCount"] = "1",
        ["extensions:durableTask:storageProvider:maxQueuePollingInterval"] = "00:00:00.250",
        ["extensions:durableTask:storageProvider:useTablePartitionManagement"] = "true",
        // Time until the work items of a killed host are processed again. The extension's minimum for the control queue is one minute.
        ["extensions:durableTask:storageProvider:workItemQueueVisibilityTimeout"] = "00:00:15",
        ["extensions:durableTask:storageProvider:controlQueueVisibilityTimeout"] = "00:01:00",
        // Time that the container scan of a killed host keeps its lock. The SDK's minimum.
        ["singleton:listenerLockPeriod"] = "00:00:15",
        ["singleton:listenerLockRecoveryPollingInterval"] = "00:00:15",
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
        var (firstListed, taken) = (new FirstListedPolicy(), new TakenMessages(port));
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
                if (options is QueueClientOptions) options.AddPolicy(taken, HttpPipelinePosition.PerCall);
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

/// <summary>
/// Replaces <c>Last-Modified</c> in Azurite's blob listings by the time when the blob's version was first listed. On an emulator, the
/// SDK's container scan takes only blobs modified after the latest one of the scan before, which skips uploads: the times are whole
/// seconds, and Azurite's are those of an upload's start, so that a large blob may appear after a small one with a later time.
/// </summary>
/// <remarks>Source: <c>ScanContainersStrategy</c> of Microsoft.Azure.WebJobs.Extensions.Storage.Blobs 5.3.10.</remarks>
internal sealed class FirstListedPolicy : HttpPipelineSynchronousPolicy
{
    // By container URL, name and ETag: a failed scan sees its blobs with the same times again.
    private readonly ConcurrentDictionary<string, string> _times = new();

    public override void OnReceivedResponse(HttpMessage message)
    {
        var url = message.Request.Uri.ToUri();
        if (!url.IsLoopback || !url.Query.Contains("comp=list", StringComparison.Ordinal) || message.Response.Status != 200) return;

        using var answer = message.Response.ContentStream!;
        var listing = XDocument.Load(answer);
        var now = DateTime.UtcNow.ToString("O", CultureInfo.InvariantCulture);
        foreach (var blob in listing.Descendants("Blob"))
        {
            var properties = blob.Element("Properties")!;
            // Never removed: memory grows by one entry with each blob version that is listed, until the host stops.
            var version = $"{url.AbsolutePath} {(string?)blob.Element("Name")} {(string?)properties.Element("Etag")}";
            properties.Element("Last-Modified")!.Value = _times.GetOrAdd(version, now);
        }
        var rewritten = new MemoryStream();
        listing.Save(rewritten);
        rewritten.Position = 0;
        message.Response.ContentStream = rewritten;
    }
}

/// <summary>
/// Receives the SDK's fatal failures, such as the loss of the storage account during a container scan. The SDK's own handler would exit the
/// process at once.
/// </summary>
internal sealed class FailureHandler : IWebJobsExceptionHandler
{
    private readonly TaskCompletionSource<Exception> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first failure.</summary>
    public Task<Exception> Failure => _failure.Task;

    public Task OnTimeoutExceptionAsync(ExceptionDispatchInfo exceptionInfo, TimeSpan timeoutGracePeriod) =>
        OnUnhandledExceptionAsync(exceptionInfo);

    public Task OnUnhandledExceptionAsync(ExceptionDispatchInfo exceptionInfo)
    {
        _failure.TrySetResult(HostStorage.LastAttempt(exceptionInfo.SourceException));
        return Task.CompletedTask;
    }
}

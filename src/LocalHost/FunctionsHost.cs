using System.Diagnostics;
using System.Net;
using Azure;
using Azure.Core;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Functions;
using FunctionsPipeline.LocalHost.Http;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Worker;
using Microsoft.Azure.WebJobs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace FunctionsPipeline.LocalHost;

/// <summary>
/// Azure Functions host for one machine. Starts the app's own worker process, loads its functions, and runs their triggers on the WebJobs
/// SDK and the extensions that the host in Azure runs. All durable state is in the storage account <c>AzureWebJobsStorage</c>.
/// </summary>
public sealed class FunctionsHost : IAsyncDisposable
{
    // One second more than the shutdown limit of the WebJobs host.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(6);

    private readonly FunctionsHostOptions _options;
    private readonly ServiceProvider _services;
    private readonly ILoggerFactory _logs;
    private readonly FailureHandler _failures = new();
    private readonly ActivityListener _tracing = ListenToCalls();
    private WorkerGateway? _gateway;
    private WorkerSupervisor? _worker;
    private HttpForwarding? _forwarding;
    private FrontEnd? _front;
    private IHost? _jobs;

    private FunctionsHost(FunctionsHostOptions options)
    {
        _options = options with
        {
            AppFolder = Path.GetFullPath(options.AppFolder),
            Port = options.Port == 0 ? FreePort.Next() : options.Port,
        };
        _services = new ServiceCollection().AddLogging(ConfigureLogging).AddHttpForwarder().BuildServiceProvider();
        _logs = _services.GetRequiredService<ILoggerFactory>();
    }

    /// <summary>Base URL of the HTTP functions, such as <c>http://127.0.0.1:7071/</c>.</summary>
    public Uri Url => new($"http://{(IsLoopback ? "127.0.0.1" : Dns.GetHostName())}:{_options.Port}/");

    /// <summary>Key that requests must send as <c>x-functions-key</c>; null on loopback, where no key is required.</summary>
    public string? Key { get; private set; }

    /// <summary>Process id of the current worker.</summary>
    public int WorkerProcessId => _worker?.ProcessId ?? 0;

    /// <summary>Completes when the host has failed, for example without its storage account, and must be disposed.</summary>
    public Task<Exception> Failure => _failures.Failure;

    private bool IsLoopback => IPAddress.IsLoopback(_options.Listen);

    /// <summary>Starts an app and returns when its functions are ready.</summary>
    /// <exception cref="InvalidOperationException">The folder has no app, its worker does not start, or a setting is invalid.</exception>
    public static async Task<FunctionsHost> StartAsync(FunctionsHostOptions options, CancellationToken cancellationToken = default)
    {
        var host = new FunctionsHost(options);
        try
        {
            await host.StartAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops accepting requests, lets functions finish for up to five seconds, and ends the worker.</summary>
    public async ValueTask DisposeAsync()
    {
        // In this order: no new requests, then the end of running functions, which need the worker, then the worker and its gRPC server.
        if (_front is not null) await _front.DisposeAsync();
        if (_jobs is not null && await StopAsync(_jobs)) _jobs.Dispose();
        if (_worker is not null) await _worker.DisposeAsync();
        if (_gateway is not null) await _gateway.DisposeAsync();
        _forwarding?.Dispose();
        _tracing.Dispose();
        await _services.DisposeAsync();
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        var hostJson = WebJobsHost.ReadHostJson(Path.Combine(_options.AppFolder, "host.json"));
        var routePrefix = hostJson.GetValueOrDefault("extensions:http:routePrefix") ?? "api";
        var settings = new ConfigurationBuilder().AddEnvironmentVariables()
            .AddInMemoryCollection(_options.Settings.ToDictionary(
                setting => setting.Key.Replace("__", ":", StringComparison.Ordinal), setting => setting.Value))
            .Build();
        await HostStorage.ConnectAsync(settings, cancellationToken);
        _gateway = await WorkerGateway.StartAsync(_logs, cancellationToken);
        _worker = new WorkerSupervisor(_options.AppFolder, _gateway, WorkerEnvironment(), _logs);
        List<Function> functions = [.. (await _worker.StartAsync(cancellationToken)).Select(metadata => new Function(metadata))];
        var logger = _logs.CreateLogger<FunctionsHost>();
        foreach (var function in functions)
        {
            if (function.UnsupportedReason is { } reason) Logs.CannotRun(logger, function.Name, reason);
        }

        var key = IsLoopback ? null : HostKey.Create();
        Key = key?.Value;
        var hooks = new WebHooks(Url, key);
        _front = new FrontEnd(new IPEndPoint(_options.Listen, _options.Port), routePrefix, functions, key, hooks, _logs);
        // Before the triggers: a taken port fails the start while nothing runs yet. Early requests wait for SetReady.
        await _front.StartAsync(cancellationToken);

        _forwarding = new HttpForwarding(_services.GetRequiredService<IHttpForwarder>());
        var emitted = EmittedFunctions.Create(functions, new InvocationBridge(_worker, _forwarding));
        var jobs = WebJobsHost.Create(hostJson, settings, _options.Port, emitted, hooks, _failures, ConfigureLogging);
        await jobs.StartAsync(cancellationToken);
        _jobs = jobs;
        _front.SetReady(_jobs.Services.GetRequiredService<IJobHost>());
        Logs.Listening(logger, functions.Count, Url);
    }

    // The host exports no traces, but the worker follows its parent's sampling: a call that the host does not record, the worker does not
    // record either.
    private static ActivityListener ListenToCalls()
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "DurableTask.Core" or "WebJobs.Extensions.DurableTask",
            Sample = (ref options) => options.Parent == default || options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded)
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.PropagationData,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    // The host's own shutdown limit does not bind the Durable Task extension, which retries for minutes when the storage account is gone.
    private static async Task<bool> StopAsync(IHost jobs)
    {
        var stopping = jobs.StopAsync();
        return await Task.WhenAny(stopping, Task.Delay(StopLimit)) == stopping;
    }

    private Dictionary<string, string?> WorkerEnvironment()
    {
        var environment = new Dictionary<string, string?>
        {
            ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
            ["FUNCTIONS_APPLICATION_DIRECTORY"] = _options.AppFolder,
            ["FUNCTIONS_WORKER_DIRECTORY"] = _options.AppFolder,
            ["FUNCTIONS_EXTENSION_VERSION"] = "~4",
            ["AzureWebJobsScriptRoot"] = _options.AppFolder,
            ["AZURE_FUNCTIONS_ENVIRONMENT"] = "Development",
            ["WEBSITE_HOSTNAME"] = Url.Authority,
        };
        if (_options.WaitForDebugger)
        {
            // Set as by "func start --dotnet-isolated-debug": a startup hook in this assembly waits for the debugger, a minute at most.
            environment["DOTNET_STARTUP_HOOKS"] = "Microsoft.Azure.Functions.Worker.Core";
            environment["FUNCTIONS_ENABLE_DEBUGGER_WAIT"] = "true";
        }
        foreach (var (name, value) in _options.Settings) environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;
        return environment;
    }

    private void ConfigureLogging(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        foreach (var category in new[] { "Microsoft", "System.Net.Http", "Azure", "Host", "Yarp", "DurableTask" })
            logging.AddFilter(category, LogLevel.Warning);
        // The extensions cause 404s by probing for containers and queues; failed functions are logged in their own categories.
        logging.AddFilter("Azure.Core", LogLevel.Error).AddFilter("Host.Triggers.DurableTask", LogLevel.Error);
        logging.AddFilter("Host.Results", LogLevel.None);
        // A failed start is thrown to the caller, which prints it; the host would log it a second time.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        // The SDK logs every start and end of a function at Information; only the function's own lines, in category Function.{name}.User,
        // are kept.
        logging.AddFilter((category, level) => level >= LogLevel.Warning || (level == LogLevel.Information &&
            (category?.StartsWith("Function.", StringComparison.Ordinal) != true || category.EndsWith(".User", StringComparison.Ordinal))));
        if (_options.ConfigureLogging is { } configure)
        {
            configure(logging);
            return;
        }
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss ";
        });
    }
}

/// <summary>Options of a host.</summary>
public sealed record FunctionsHostOptions
{
    /// <summary>Build output of the app, with <c>worker.config.json</c> and <c>host.json</c>.</summary>
    public required string AppFolder { get; init; }

    /// <summary>IP address to listen on. Beyond loopback the host requires a key.</summary>
    public IPAddress Listen { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port to listen on; 0 takes a free one, which <see cref="FunctionsHost.Url"/> contains after the start.</summary>
    public int Port { get; init; } = 7071;

    /// <summary>
    /// App settings of the host and the worker, such as <c>AzureWebJobsStorage</c>. They take precedence over the environment.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>True to have the worker wait up to a minute for a debugger.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Configures the log providers; null logs to the console, one line per event.</summary>
    public Action<ILoggingBuilder>? ConfigureLogging { get; init; }
}

/// <summary>Storage account that holds the host's durable state.</summary>
internal static class HostStorage
{
    private const string Setting = "AzureWebJobsStorage";

    /// <summary>
    /// Checks that the account is reachable. Without this check, the extensions would retry for a minute and report neither setting nor
    /// URL.
    /// </summary>
    /// <exception cref="InvalidOperationException">The account is unreachable, or its setting is missing or invalid.</exception>
    public static async Task ConnectAsync(IConfiguration settings, CancellationToken cancellationToken)
    {
        // Settings of an identity, with an account name or service URLs, are left to the extensions.
        if (settings.GetSection(Setting).GetChildren().Any()) return;
        if (settings[Setting] is not { Length: > 0 } connection)
            throw new InvalidOperationException($"The setting {Setting} is missing: the connection string of a storage account.");
        BlobServiceClient client;
        try
        {
            client = new BlobServiceClient(connection, FirstRequest());
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"The setting {Setting} is no connection string: {e.Message}", e);
        }
        try
        {
            await client.GetPropertiesAsync(cancellationToken);
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            throw new InvalidOperationException(
                $"The storage account {client.Uri} of the setting {Setting} is not reachable: {LastAttempt(e).Message.Split('\n')[0]}", e);
        }
    }

    /// <summary>Options of a first request: three attempts at fixed pauses, so that a refusal is reported within seconds.</summary>
    public static BlobClientOptions FirstRequest() => new() { Retry = { MaxRetries = 2, Mode = RetryMode.Fixed } };

    /// <summary>Last failure of an Azure client, which throws an <see cref="AggregateException"/> of all its attempts.</summary>
    public static Exception LastAttempt(Exception exception) =>
        exception is AggregateException { InnerExceptions: [.., var last] } ? last : exception;
}

/// <summary>Host lifetime that ignores Ctrl-C and SIGTERM, which the command that embeds the host handles.</summary>
internal sealed class EmbeddedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

using System.Reflection;
using System.Text.Json;
using FunctionsPipeline.LocalHost.Blobs;
using FunctionsPipeline.LocalHost.Durable;
using FunctionsPipeline.LocalHost.Functions;
using FunctionsPipeline.LocalHost.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Converters;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.LocalHost;

/// <summary>
/// An Azure Functions host in this process: HTTP triggers, blob triggers and durable orchestrations of isolated-worker function classes, with
/// breakpoints, without Core Tools. What it keeps is in one SQLite file, and it goes on where an earlier host with that file stopped.
/// </summary>
public sealed class FunctionsHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly StateDatabase _database;
    private readonly FunctionCatalog _catalog;

    private FunctionsHost(WebApplication app, StateDatabase database, FunctionCatalog catalog)
    {
        _app = app;
        _database = database;
        _catalog = catalog;
    }

    /// <summary>Where HTTP functions are served, such as <c>http://127.0.0.1:7071/</c>. Known after <see cref="StartAsync"/>.</summary>
    public Uri Address => new(_app.Urls.First());

    /// <summary>The services that functions are made from.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Starts, observes and steers orchestrations from outside of functions.</summary>
    public DurableTaskClient Client => _app.Services.GetRequiredService<DurableTaskClient>();

    /// <summary>Finds the functions, opens the state database and builds the host; nothing runs yet.</summary>
    /// <param name="configureServices">Registers what the functions need, as the app's own Program does.</param>
    /// <param name="functionAssemblies">Where to look for methods with <c>[Function]</c>.</param>
    /// <exception cref="InvalidOperationException">A function cannot run here, host.json is wrong, or the state database is in use.</exception>
    public static FunctionsHost Create(LocalHostOptions options, Action<IServiceCollection, IConfiguration> configureServices,
        params Assembly[] functionAssemblies)
    {
        var settings = HostSettings.Load(options.HostJson);
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddInMemoryCollection(options.Settings);
        builder.WebHost.UseUrls().ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, options.Port));
        ConfigureLogging(builder.Logging, options);
        var catalog = FunctionCatalog.Discover(functionAssemblies, builder.Configuration);
        var database = StateDatabase.Open(options.StateDatabase);
        try
        {
            configureServices(builder.Services, builder.Configuration);
            AddHost(builder.Services, options, settings, catalog, database);
            var app = builder.Build();
            Map(app, catalog, settings);
            return new FunctionsHost(app, database, catalog);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Starts serving, watching and going on with orchestrations.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _app.StartAsync(cancellationToken);
        Logs.Listening(_app.Services.GetRequiredService<ILogger<FunctionsHost>>(), _catalog.All.Count, Address);
    }

    /// <summary>Stops. Activities are told by their cancellation token; one that has not ended runs again at the next start.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => _app.StopAsync(cancellationToken);

    /// <summary>Stops and gives the state database free.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _database.Dispose();
    }

    private static void ConfigureLogging(ILoggingBuilder logging, LocalHostOptions options)
    {
        logging.ClearProviders();
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("System.Net.Http", LogLevel.Warning);
        logging.AddFilter("Azure", LogLevel.Warning);
        if (options.ConfigureLogging is { } configure) configure(logging);
        else logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss ";
        });
    }

    private static void AddHost(IServiceCollection services, LocalHostOptions options, HostSettings settings, FunctionCatalog catalog,
        StateDatabase database)
    {
        services.AddMvcCore();
        services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        // The worker serializes inputs and outputs by these options, and so does this host.
        services.Configure<JsonSerializerOptions>(json => json.PropertyNameCaseInsensitive = true);
        services.AddSingleton<DataConverter>(p => new JsonDataConverter(p.GetRequiredService<IOptions<JsonSerializerOptions>>().Value));
        services.AddSingleton(options).AddSingleton(options.TimeProvider).AddSingleton(settings);
        services.AddSingleton(catalog).AddSingleton(database);
        services.AddSingleton<Pulse>().AddSingleton<DurableStore>().AddSingleton<OrchestratorRunner>();
        services.AddSingleton<DurableTaskClient, LocalDurableTaskClient>();
        services.AddSingleton<ActivityWorker>().AddHostedService(p => p.GetRequiredService<ActivityWorker>());
        services.AddHostedService<OrchestrationWorker>();
        services.AddSingleton<BlobReceipts>().AddHostedService<BlobWatcher>();
    }

    private static void Map(WebApplication app, FunctionCatalog catalog, HostSettings settings)
    {
        HostPages.Map(app, catalog, settings);
        DurableManagementApi.Map(app);
        HttpFunctions.Map(app, catalog, settings, app.Logger);
    }

    /// <summary>Leaves Ctrl-C and SIGTERM to the process that the host is a part of.</summary>
    private sealed class EmbeddedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

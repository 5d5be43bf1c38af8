using System.Collections.Concurrent;
using System.Net;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>The tiny app in a host within this process.</summary>
public sealed class TinyAppHost : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _log;
    private readonly DirectoryInfo _home;

    private TinyAppHost(FunctionsHost host, ConcurrentQueue<string> log, DirectoryInfo home)
    {
        (Host, _log, _home) = (host, log, home);
        Client = new TinyAppClient(new UriBuilder(host.Address) { Host = "127.0.0.1" }.Uri);
    }

    /// <summary>The tiny app's build output.</summary>
    public static string AppFolder { get; } = Applications.Output("tests/TinyApp");

    public FunctionsHost Host { get; }

    public TinyAppClient Client { get; }

    /// <summary>The lines of the host's log: level, category, message.</summary>
    public IEnumerable<string> Log => _log;

    /// <param name="storage">Connection string of the storage account.</param>
    /// <param name="listen">Where it listens; loopback when left out.</param>
    /// <param name="settings">More app settings.</param>
    public static async Task<TinyAppHost> StartAsync(
        string storage, IPAddress? listen = null, string? appFolder = null, params IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var log = new ConcurrentQueue<string>();
        var home = Directory.CreateTempSubdirectory("tiny-app-");
        var options = new FunctionsHostOptions
        {
            AppFolder = appFolder ?? AppFolder,
            Listen = listen ?? IPAddress.Loopback,
            Port = 0,
            Settings = new Dictionary<string, string?>(settings) { ["AzureWebJobsStorage"] = storage, ["HOME"] = home.FullName },
            ConfigureLogging = logging => logging.AddProvider(new Recorder(log)),
        };
        try
        {
            return new TinyAppHost(await FunctionsHost.StartAsync(options), log, home);
        }
        catch
        {
            home.Delete(recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
        _home.Delete(recursive: true);
    }

    private sealed class Recorder(ConcurrentQueue<string> lines) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Category(categoryName, lines);

        public void Dispose()
        {
        }

        private sealed class Category(string name, ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue($"{logLevel} {name}: {formatter(state, exception)}{(exception is null ? "" : $"\n{exception}")}");
        }
    }
}

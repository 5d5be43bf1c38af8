using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Azure.Storage.Queues;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Tests;

/// <summary>One host of the tiny app on a storage account of its own, for all tests that leave it as it is.</summary>
public sealed class TinyAppFixture : IAsyncLifetime
{
    /// <summary>Name of the collection of tests that share it.</summary>
    public const string Name = "the tiny app";

    private TinyAppHost? _app;

    public AzuriteFixture Azurite { get; } = new();

    public TinyAppHost App => _app!;

    public TinyAppClient Client => App.Client;

    public async Task InitializeAsync()
    {
        await Azurite.InitializeAsync();
        _app = await TinyAppHost.StartAsync(Azurite.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        await Azurite.DisposeAsync();
    }

    /// <summary>Waits for what a function writes down.</summary>
    public async Task<string> NoteAsync(string name)
    {
        var note = Azurite.Blobs.GetBlobContainerClient("tiny-notes").GetBlobClient(name);
        await TinyAppClient.UntilAsync(async () => await note.ExistsAsync(), $"a note {name}");
        return (await note.DownloadContentAsync()).Value.Content.ToString();
    }

    /// <summary>A queue whose messages are coded as the host expects them.</summary>
    public async Task<QueueClient> QueueAsync(string name)
    {
        var options = new QueueClientOptions { MessageEncoding = QueueMessageEncoding.Base64 };
        var queue = new QueueClient(Azurite.ConnectionString, name, options);
        await queue.CreateIfNotExistsAsync();
        return queue;
    }

    [CollectionDefinition(Name)]
    public sealed class Collection : ICollectionFixture<TinyAppFixture>;
}

/// <summary>The tiny app in a host within this process.</summary>
public sealed class TinyAppHost : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _log;
    private readonly DirectoryInfo _home;

    private TinyAppHost(FunctionsHost host, ConcurrentQueue<string> log, DirectoryInfo home)
    {
        Host = host;
        _log = log;
        _home = home;
        Client = new TinyAppClient(new UriBuilder(host.Url) { Host = "127.0.0.1" }.Uri);
    }

    /// <summary>The tiny app's build output.</summary>
    public static string AppFolder { get; } = Applications.Output("tests/TinyApp");

    public FunctionsHost Host { get; }

    public TinyAppClient Client { get; }

    /// <summary>The lines of the host's log: level, category, message.</summary>
    public IEnumerable<string> Log => _log;

    /// <param name="storage">Connection string of the storage account.</param>
    /// <param name="listen">IP address that the host listens on; loopback when left out.</param>
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

/// <summary>Speaks to a host of the tiny app over HTTP, as everyone else does.</summary>
public sealed class TinyAppClient(Uri address) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public HttpClient Http { get; } = new() { BaseAddress = address };

    /// <summary>Starts an orchestration and waits for its end.</summary>
    public async Task<Status> RunAsync(string orchestrator, object? input) => await EndAsync(await StartAsync(orchestrator, input));

    public async Task<Instance> StartAsync(string orchestrator, object? input, string? id = null)
    {
        using var answer = await Http.PostAsync($"tiny/orchestrations/{orchestrator}?id={id}", Json(input));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<Instance>())!;
    }

    public Task<Status> EndAsync(Instance instance) =>
        WaitAsync(instance, status => status.RuntimeStatus is not ("Pending" or "Running" or "Suspended"));

    /// <summary>Waits until an orchestration's status is as expected.</summary>
    public async Task<Status> WaitAsync(Instance instance, Func<Status, bool> expected)
    {
        Status? last = null;
        for (var started = Stopwatch.StartNew(); started.Elapsed < Patience; await Task.Delay(50))
        {
            using var answer = await Http.GetAsync(new Uri(instance.StatusQueryGetUri));
            if (answer.IsSuccessStatusCode && expected(last = (await answer.Content.ReadFromJsonAsync<Status>())!)) return last;
        }
        Assert.Fail($"{instance.Id} is {last}");
        return null!;
    }

    /// <summary>Starts a function by hand.</summary>
    public Task<HttpResponseMessage> StartByHandAsync(string function, string? input) =>
        Http.PostAsJsonAsync($"admin/functions/{function}", new { input });

    /// <summary>Waits until something holds, and fails when that takes too long.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        for (var started = Stopwatch.StartNew(); !await holds(); await Task.Delay(100))
            Assert.True(started.Elapsed < Patience, $"not within {Patience.TotalSeconds} s: {what}");
    }

    public static StringContent Json(object? value) => new(JsonSerializer.Serialize(value), Encoding.UTF8, "application/json");

    public void Dispose() => Http.Dispose();

    /// <summary>An orchestration that was started, with the URLs of its management API.</summary>
    public sealed record Instance(
        string Id, string StatusQueryGetUri, string SendEventPostUri, string TerminatePostUri, string PurgeHistoryDeleteUri,
        string SuspendPostUri, string ResumePostUri);

    /// <summary>An orchestration's status, as the management API tells it.</summary>
    public sealed record Status(string Name, string InstanceId, string RuntimeStatus, JsonElement? CustomStatus, JsonElement? Output)
    {
        public T Result<T>()
        {
            Assert.True(RuntimeStatus == "Completed", ToString());
            return Output!.Value.Deserialize<T>(JsonSerializerOptions.Web)!;
        }
    }
}

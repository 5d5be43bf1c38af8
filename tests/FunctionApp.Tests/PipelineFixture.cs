using FunctionsPipeline.LocalHost;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// The app's own worker process in the local host, with a storage account and a hub of its own; only the GPU jobs are fake.
/// </summary>
public sealed class PipelineFixture : IAsyncLifetime
{
    public const int Rows = 30;

    private readonly string _folder = Directory.CreateTempSubdirectory("functions-app-").FullName;
    private readonly AzuriteFixture _azurite = new();
    private SampleHub? _hub;
    private FunctionsHost? _host;

    internal AzuriteFixture Azurite => _azurite;

    internal HttpClient Http { get; private set; } = null!;

    /// <summary>Reads the output of a run's GPU job.</summary>
    internal string JobLog(string run) => File.ReadAllText(Path.Combine(_folder, "jobs", $"{run}-1.log"));

    public async Task InitializeAsync()
    {
        var model = Directory.CreateDirectory(Path.Combine(_folder, "models", "tiny")).FullName;
        File.WriteAllText(Path.Combine(model, "config.json"), "{}");
        File.WriteAllText(Path.Combine(model, "model.safetensors"), "weights");
        _hub = await SampleHub.StartAsync(new HubServerOptions { Rows = Rows, Models = Path.Combine(_folder, "models") });
        await _azurite.InitializeAsync();

        _host = await StartAsync(new Dictionary<string, string?>());
        Http = new HttpClient { BaseAddress = _host.Url };
    }

    /// <summary>Starts a host beside the one that the tests share.</summary>
    /// <param name="changes">Settings that differ from those of the other; it needs a task hub of its own.</param>
    internal Task<FunctionsHost> StartAsync(IReadOnlyDictionary<string, string?> changes)
    {
        var settings = new Dictionary<string, string?>
        {
            ["GpuWorker__Command"] = $"dotnet \"{Path.Combine(AppContext.BaseDirectory, "FunctionsPipeline.FakeGpuWorker.dll")}\"",
            ["GpuJobs__LogFolder"] = Path.Combine(_folder, "jobs"),
        };
        foreach (var (name, value) in changes) settings[name] = value;
        return AppHost.StartAsync(_folder, _azurite.ConnectionString, _hub!, settings);
    }

    public async Task DisposeAsync()
    {
        Http?.Dispose();
        if (_host is not null) await _host.DisposeAsync();
        if (_hub is not null) await _hub.DisposeAsync();
        await _azurite.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Starts the app's own worker process in the local host, on a free port and with no log.</summary>
internal static class AppHost
{
    /// <param name="home">Home folder of the worker, where it writes keys.</param>
    /// <param name="storage">Connection string of the account of both the host and the pipeline.</param>
    /// <param name="hub">Hub of the datasets and base models.</param>
    /// <param name="changes">Settings that replace the usual ones or come on top.</param>
    public static Task<FunctionsHost> StartAsync(
        string home, string storage, SampleHub hub, IEnumerable<KeyValuePair<string, string?>> changes)
    {
        var settings = new Dictionary<string, string?>
        {
            ["HOME"] = home,
            ["AzureWebJobsStorage"] = storage,
            ["PipelineStorage"] = storage,
            ["HF_ENDPOINT"] = hub.Url.ToString(),
            ["Ingestion__AllowedHosts__0"] = hub.Url.Authority,
            ["Worker__Url"] = "http://127.0.0.1:9",
        };
        foreach (var (name, value) in changes) settings[name] = value;
        return FunctionsHost.StartAsync(new FunctionsHostOptions
        {
            AppFolder = Applications.FunctionApp,
            Port = 0,
            Settings = settings,
            ConfigureLogging = logging => logging.SetMinimumLevel(LogLevel.None),
        });
    }
}

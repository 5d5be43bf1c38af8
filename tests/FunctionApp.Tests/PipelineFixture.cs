using FunctionsPipeline.FunctionApp;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.SampleData;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>The whole app in the local host, with a blob service and a hub of its own; only the GPU jobs are fake.</summary>
public sealed class PipelineFixture : IAsyncLifetime
{
    public const int Rows = 30;

    private readonly string _folder = Directory.CreateTempSubdirectory("functions-app-").FullName;
    private readonly AzuriteFixture _azurite = new();
    private SampleHub? _hub;
    private FunctionsHost? _host;

    internal AzuriteFixture Azurite => _azurite;

    internal FakeGpuJobs Jobs { get; private set; } = null!;

    internal HttpClient Http { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var model = Directory.CreateDirectory(Path.Combine(_folder, "models", "tiny")).FullName;
        File.WriteAllText(Path.Combine(model, "config.json"), "{}");
        File.WriteAllText(Path.Combine(model, "model.safetensors"), "weights");
        _hub = await SampleHub.StartAsync(new HubServerOptions { Rows = Rows, Models = Path.Combine(_folder, "models") });
        await _azurite.InitializeAsync();
        Jobs = new FakeGpuJobs(_azurite.Blobs);

        var options = new LocalHostOptions
        {
            Port = 0,
            StateDatabase = Path.Combine(_folder, "state.db"),
            Settings = new Dictionary<string, string?>
            {
                ["PipelineStorage"] = _azurite.ConnectionString,
                ["HF_ENDPOINT"] = _hub.Address.ToString(),
                ["Ingestion:AllowedHosts:0"] = _hub.Address.Authority,
                ["Worker:Url"] = "http://127.0.0.1:9",
                ["GpuWorker:Command"] = "unused",
            },
            ConfigureLogging = logging => logging.SetMinimumLevel(LogLevel.None),
        };
        _host = FunctionsHost.Create(options, (services, configuration) => services.AddPipeline(configuration).AddSingleton<IGpuJobs>(Jobs), typeof(PipelineServices).Assembly);
        await _host.StartAsync();
        Http = new HttpClient { BaseAddress = _host.Address };
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

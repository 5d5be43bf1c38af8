using FunctionsPipeline.LocalHost;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>A local host of this assembly's functions in a folder of its own; it can be restarted on the same state.</summary>
public sealed class TestHost : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localhost-tests-").FullName;
    private readonly Func<LocalHostOptions, LocalHostOptions> _configure;
    private FunctionsHost? _host;

    private TestHost(Func<LocalHostOptions, LocalHostOptions> configure) => _configure = configure;

    public Recorder Recorder { get; } = new();

    public FunctionsHost Host => _host ?? throw new InvalidOperationException("The host is stopped.");

    public DurableTaskClient Client => Host.Client;

    /// <param name="configure">Changes options; without a storage connection the blob functions are switched off.</param>
    public static async Task<TestHost> StartAsync(Func<LocalHostOptions, LocalHostOptions>? configure = null)
    {
        var host = new TestHost(configure ?? (o => o));
        await host.StartHostAsync();
        return host;
    }

    public LocalHostOptions Options()
    {
        var options = _configure(new LocalHostOptions
        {
            Port = 0,
            StateDatabase = Path.Combine(_folder, "state.db"),
            ConfigureLogging = logging => logging.SetMinimumLevel(LogLevel.None),
        });
        var off = options.StorageConnection is null ? "true" : "false";
        return options with { Settings = new Dictionary<string, string?>(options.Settings) { ["AzureWebJobs.Uploaded.Disabled"] = off } };
    }

    public FunctionsHost Create() => FunctionsHost.Create(Options(), (services, _) => services.AddSingleton(Recorder), typeof(TestHost).Assembly);

    public async Task StartHostAsync()
    {
        _host = Create();
        await _host.StartAsync();
    }

    public async Task StopHostAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        _host = null;
    }

    /// <summary>Runs an orchestration to its end.</summary>
    public async Task<OrchestrationMetadata> RunAsync(string orchestrator, object? input = null) =>
        await EndAsync(await Client.ScheduleNewOrchestrationInstanceAsync(orchestrator, input));

    public async Task<OrchestrationMetadata> EndAsync(string id)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await Client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, patience.Token);
    }

    /// <summary>Waits until the instance's custom status is what is said.</summary>
    public async Task StatusAsync(string id, string status)
    {
        for (var i = 0; i < 1000; i++)
        {
            if ((await Client.GetInstanceAsync(id, getInputsAndOutputs: true))?.ReadCustomStatusAs<string>() == status) return;
            await Task.Delay(20);
        }
        Assert.Fail($"{id} did not reach the status {status}.");
    }

    public async ValueTask DisposeAsync()
    {
        await StopHostAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

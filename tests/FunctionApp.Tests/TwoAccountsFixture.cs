using System.Net.Http.Json;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.SampleData;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>
/// The app in the local host, with one storage account for the host and another for the pipeline, a hub whose first answer is not JSON,
/// and a GPU worker that takes nothing for an image.
/// </summary>
public sealed class TwoAccountsFixture : IAsyncLifetime
{
    /// <summary>The hub's dataset.</summary>
    public const string Dataset = GarmentsDataset.Id;

    private readonly string _folder = Directory.CreateTempSubdirectory("two-accounts-").FullName;
    private readonly AzuriteFixture _azurite = new();
    private SampleHub? _hub;
    private WebApplication? _worker;
    private FunctionsHost? _host;

    internal HttpClient Http { get; private set; } = null!;

    internal string HostAccount => _azurite.ConnectionString;

    internal string PipelineAccount => _azurite.OtherConnectionString;

    /// <summary>Starts an orchestration, as anybody may who has the host's key.</summary>
    internal async Task StartAsync(string orchestrator, string instance, object input)
    {
        var url = $"/runtime/webhooks/durabletask/orchestrators/{orchestrator}/{instance}";
        (await Http.PostAsJsonAsync(url, input)).EnsureSuccessStatusCode();
    }

    /// <summary>The instance as the management API shows it, once it has ended.</summary>
    internal async Task<JsonElement> EndedAsync(string instance)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var status = await Http.GetFromJsonAsync<JsonElement>(
                $"/runtime/webhooks/durabletask/instances/{instance}?showHistory=true", limit.Token);
            if (status.GetProperty("runtimeStatus").GetString() is not ("Pending" or "Running")) return status;
            await Task.Delay(100, limit.Token);
        }
    }

    public async Task InitializeAsync()
    {
        var broken = new FaultRule($"/api/datasets/{Dataset}/revision/main", new CorruptFault()) { Times = 1 };
        _hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 12, Faults = [broken] });
        _worker = await RefuseImagesAsync();
        await _azurite.InitializeAsync();
        _host = await AppHost.StartAsync(_folder, HostAccount, _hub, new Dictionary<string, string?>
        {
            ["PipelineStorage"] = PipelineAccount,
            ["Worker__Url"] = _worker.Urls.First(),
        });
        Http = new HttpClient { BaseAddress = _host.Address };
    }

    public async Task DisposeAsync()
    {
        Http?.Dispose();
        if (_host is not null) await _host.DisposeAsync();
        if (_worker is not null) await _worker.DisposeAsync();
        if (_hub is not null) await _hub.DisposeAsync();
        await _azurite.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<WebApplication> RefuseImagesAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapPost("/predict", async (HttpRequest request) =>
        {
            var asked = (await request.ReadFromJsonAsync<PredictRequest>(PipelineJson.Options))!;
            return Results.Json(new PredictionDocument
            {
                Image = asked.Blob,
                ETag = asked.ETag,
                Status = PredictionStatus.Rejected,
                Reason = Rejection.NotAnImage,
                At = DateTimeOffset.UtcNow,
            }, PipelineJson.Options);
        });
        await app.StartAsync();
        return app;
    }
}

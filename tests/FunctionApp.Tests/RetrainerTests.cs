using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Retraining;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class RetrainerTests(RetrainingFixture fixture) : IClassFixture<RetrainingFixture>, IAsyncLifetime
{
    private const string Secret = "0123456789abcdef";
    private const string Sha = "575db8b7a51b6f85eb06eee540738584589f131c";

    private readonly FakeDurableClient _client = new();
    private readonly List<string> _logged = [];

    public async Task InitializeAsync()
    {
        foreach (var name in new[] { Containers.Runs, Containers.Corrections })
            await fixture.Azurite.Blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var name in new[] { Containers.Runs, Containers.Corrections })
        {
            var container = fixture.Azurite.Blobs.GetBlobContainerClient(name);
            await foreach (var blob in container.GetBlobsAsync()) await container.DeleteBlobAsync(blob.Name);
        }
    }

    [Fact]
    public async Task A_push_starts_one_run_of_the_configured_request_at_its_commit()
    {
        using var app = Build(("WebhookSecret", Secret));
        var commit = await CommitAsync(app);
        var (status, decision) = await PostAsync(app, Pushed(commit));
        Assert.Equal((202, RetrainingOutcome.Started), (status, decision!.Outcome));
        var request = Assert.IsType<FineTuneInput>(Assert.Single(_client.Started)).Request;
        Assert.Equal(($"retrain-{commit[..12]}", commit), (request.Run, request.Dataset.Revision));
        Assert.Equal((7, decision.Run), (request.Training.Seed, request.Run));
        Assert.Equal([request.Run!], (await Index(app).ReadAsync(null, null, 10, null, default)).Ids);

        (status, decision) = await PostAsync(app, Pushed(commit));
        Assert.Equal((200, RetrainingOutcome.Ignored, request.Run), (status, decision!.Outcome, decision.Run));
        await TickAsync(app);
        Assert.Single(_client.Started);
        Assert.Equal(2, _logged.Count);
        Assert.All(_logged, line => Assert.StartsWith($"Retraining for samples/garments at {commit}: ", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_push_during_another_run_is_trained_at_the_first_tick_after_it()
    {
        using var app = Build(("WebhookSecret", Secret));
        var commit = await CommitAsync(app);
        _client.Set("mine", OrchestrationRuntimeStatus.Running);
        await Index(app).AddAsync("mine", DateTimeOffset.UtcNow.AddDays(-1), default);
        // The first push is never trained, as a later one replaces it.
        foreach (var sha in new[] { Sha, commit })
        {
            var (status, decision) = await PostAsync(app, Pushed(sha));
            Assert.Equal((202, RetrainingOutcome.Waiting), (status, decision!.Outcome));
            Assert.Contains("the run mine is in progress", decision.Reason, StringComparison.Ordinal);
        }
        await TickAsync(app);
        Assert.Empty(_client.Started);

        _client.Set("mine", OrchestrationRuntimeStatus.Failed);
        await TickAsync(app);
        await TickAsync(app);
        Assert.Equal(commit, Assert.IsType<FineTuneInput>(Assert.Single(_client.Started)).Request.Dataset.Revision);
        Assert.False(await fixture.Azurite.Blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(RunBlobs.WaitingPush).ExistsAsync());
    }

    [Fact]
    public async Task A_push_that_the_Hub_does_not_serve_yet_waits()
    {
        using var app = Build(("WebhookSecret", Secret));
        var (status, decision) = await PostAsync(app, Pushed(Sha));
        Assert.Equal((202, RetrainingOutcome.Waiting), (status, decision!.Outcome));
        Assert.Contains(Sha, decision.Reason, StringComparison.Ordinal);
        await TickAsync(app);
        Assert.Empty(_client.Started);
        Assert.Equal(2, _logged.Count);
    }

    [Theory]
    [InlineData("\"dataset\" -> \"model\"", "not of the dataset samples/garments")]
    [InlineData("samples/garments -> samples/shoes", "not of the dataset samples/garments")]
    [InlineData("repo.content -> repo.config", "is no update of repo.content")]
    [InlineData("repo.content -> discussion", "is no update of repo.content")]
    [InlineData("repo.content -> repo.contents", "is no update of repo.content")]
    [InlineData("\"update\" -> \"delete\"", "is no update of repo.content")]
    [InlineData("refs/heads/main -> refs/heads/draft", "the branch main has no new commit")]
    [InlineData("refs/heads/main -> refs/pr/1", "the branch main has no new commit")]
    [InlineData("\"newSha\": \"SHA\" -> \"newSha\": null", "the branch main was deleted")]
    [InlineData("\"updatedRefs\" -> \"others\"", "the branch main has no new commit")]
    public async Task Another_event_starts_nothing(string change, string told)
    {
        using var app = Build(("WebhookSecret", Secret));
        var (status, decision) = await PostAsync(app, Pushed("SHA", change).Replace("SHA", Sha, StringComparison.Ordinal));
        Assert.Equal((200, RetrainingOutcome.Ignored), (status, decision!.Outcome));
        Assert.Contains(told, decision.Reason, StringComparison.Ordinal);
        Assert.Empty(_client.Started);
    }

    [Fact]
    public async Task A_narrower_scope_is_an_update_of_the_broader_one_and_names_have_any_case()
    {
        using var app = Build(("WebhookSecret", Secret));
        var commit = await CommitAsync(app);
        var body = Pushed(commit, "repo.content -> repo.content.files").Replace("\"update\"", "\"create\"", StringComparison.Ordinal)
            .Replace("samples/garments", "Samples/Garments", StringComparison.Ordinal);
        Assert.Equal(RetrainingOutcome.Started, (await PostAsync(app, body)).Decision!.Outcome);
    }

    [Theory]
    [InlineData(null, 401)]
    [InlineData("", 401)]
    [InlineData("0123456789abcdeg", 401)]
    [InlineData("0123456789abcdef0", 401)]
    [InlineData(Secret, 202)]
    public async Task Only_the_secret_lets_an_event_in(string? secret, int expected)
    {
        using var app = Build(("WebhookSecret", Secret));
        Assert.Equal(expected, (await PostAsync(app, Pushed(await CommitAsync(app)), secret)).Status);
        Assert.Equal(expected == 202 ? 1 : 0, _client.Started.Count);
    }

    [Theory]
    [InlineData("{", "$")]
    [InlineData("{\"event\": 5}", "event")]
    [InlineData("short", "updatedRefs.newSha")]
    public async Task A_body_that_is_no_event_is_a_problem(string body, string field)
    {
        using var app = Build(("WebhookSecret", Secret));
        var response = await RespondAsync(app, body == "short" ? Pushed("main") : body, Secret);
        Assert.Equal(400, response.StatusCode);
        Assert.Equal(field, JsonSerializer.Deserialize<Problem>(response.Content!, PipelineJson.Options)!.Field);
    }

    [Fact]
    public async Task Polling_starts_one_run_for_a_commit()
    {
        using var app = Build(("Poll", "true"));
        await TickAsync(app);
        await TickAsync(app);
        var request = Assert.IsType<FineTuneInput>(Assert.Single(_client.Started)).Request;
        Assert.Equal(await CommitAsync(app), request.Dataset.Revision);
        Assert.Equal(2, _logged.Count);
        Assert.Contains(", as the run retrain-", _logged[0], StringComparison.Ordinal);
        Assert.Equal(404, (await PostAsync(app, Pushed(request.Dataset.Revision))).Status);
    }

    [Fact]
    public async Task A_repository_that_is_gone_is_told_and_asked_about_again()
    {
        using var app = Build(("Poll", "true"), ("Request", Request("samples/nothing")));
        await TickAsync(app);
        await TickAsync(app);
        Assert.Empty(_client.Started);
        Assert.Equal(2, _logged.Count(line => line.Contains("Waiting", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Enough_corrections_since_the_last_run_start_one()
    {
        using var app = Build(("Corrections", "2"));
        await CorrectAsync("a.jpg");
        await TickAsync(app);
        Assert.Empty(_client.Started);
        Assert.EndsWith("1 new corrections: Ignored, 2 start a run", Assert.Single(_logged), StringComparison.Ordinal);

        await CorrectAsync("b.jpg");
        _client.Set("mine", OrchestrationRuntimeStatus.Running);
        await Index(app).AddAsync("mine", DateTimeOffset.UtcNow, default);
        await TickAsync(app);
        Assert.Empty(_client.Started);

        _client.Set("mine", OrchestrationRuntimeStatus.Completed);
        await TickAsync(app);
        var first = Assert.IsType<FineTuneInput>(Assert.Single(_client.Started)).Request;
        Assert.StartsWith("retrain-corrections-", first.Run, StringComparison.Ordinal);
        Assert.True(first.IncludeCorrections);

        // Those of before count no more. Storage tells times in seconds.
        _client.Set(first.Run!, OrchestrationRuntimeStatus.Completed);
        await Task.Delay(1100);
        await CorrectAsync("a.jpg");
        await TickAsync(app);
        Assert.Single(_client.Started);
        await CorrectAsync("c.jpg");
        await TickAsync(app);
        Assert.Equal(2, _client.Started.Count);
        Assert.NotEqual(first.Run, Assert.IsType<FineTuneInput>(_client.Started[1]).Request.Run);
    }

    [Fact]
    public async Task Without_settings_nothing_starts_by_itself()
    {
        using var app = Build();
        await CorrectAsync("a.jpg");
        await TickAsync(app);
        Assert.Equal(404, (await PostAsync(app, Pushed(Sha))).Status);
        Assert.Empty(_client.Started);
        Assert.Empty(_logged);
    }

    private static string Request(string repo) => $$"""
        {"dataset": {"repo": "{{repo}}", "columns": {"image": "imageurl", "title": "title"}, "validationFraction": 0.3},
         "baseModel": {"repo": "samples/tiny"}, "training": {"seed": 7}, "includeCorrections": true}
        """;

    private static string Pushed(string commit, string? change = null)
    {
        // As the Hub's documentation shows it.
        var body = """
            {
              "event": { "action": "update", "scope": "repo.content" },
              "repo": {
                "type": "dataset", "name": "samples/garments", "id": "6366c000a2abcdf2fd69a080", "private": false,
                "url": { "web": "https://huggingface.co/samples/garments" }, "headSha": "SHA", "owner": { "id": "61d2000c3c2083e1c08af22d" }
              },
              "webhook": { "id": "6390e855e30d9209411de93b", "version": 3 },
              "updatedRefs": [
                { "ref": "refs/heads/main", "oldSha": "ce9a4674fa833a68d5a73ec355f0ea95eedd60b7", "newSha": "SHA" },
                { "ref": "refs/tags/test", "oldSha": null, "newSha": "SHA" }
              ]
            }
            """;
        if (change?.Split(" -> ") is [var what, var into])
        {
            Assert.Contains(what, body, StringComparison.Ordinal);
            body = body.Replace(what, into, StringComparison.Ordinal);
        }
        return body.Replace("SHA", commit, StringComparison.Ordinal);
    }

    private static RunIndex Index(IHost app) => app.Services.GetRequiredService<RunIndex>();

    private static Task<string> CommitAsync(IHost app) =>
        app.Services.GetRequiredService<HubClient>().GetCommitAsync(HubRepositoryKind.Dataset, "samples/garments", "main");

    private Task CorrectAsync(string image) => fixture.Azurite.Blobs.GetBlobContainerClient(Containers.Corrections)
        .GetBlobClient(BlobNames.Correction(image)).UploadAsync(BinaryData.FromString("{}"), overwrite: true);

    private Task TickAsync(IHost app) => app.Services.GetRequiredService<Retrainer>().TickAsync(_client, default);

    private async Task<(int Status, RetrainingDecision? Decision)> PostAsync(IHost app, string body, string? secret = Secret)
    {
        var response = await RespondAsync(app, body, secret);
        return (response.StatusCode!.Value, response.StatusCode < 300
            ? JsonSerializer.Deserialize<RetrainingDecision>(response.Content!, PipelineJson.Options)
            : null);
    }

    private async Task<ContentResult> RespondAsync(IHost app, string body, string? secret)
    {
        var request = new DefaultHttpContext().Request;
        request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        if (secret is not null) request.Headers[HookEndpoints.SecretHeader] = secret;
        var endpoints = ActivatorUtilities.CreateInstance<HookEndpoints>(app.Services);
        return Assert.IsType<ContentResult>(await endpoints.HuggingFaceHook(request, _client, default));
    }

    private IHost Build(params (string Name, string Value)[] settings)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["PipelineStorage"] = fixture.Azurite.ConnectionString,
            ["HF_ENDPOINT"] = fixture.Hub.Url.ToString(),
            ["Ingestion:AllowedHosts:0"] = fixture.Hub.Url.Authority,
            ["GpuWorker:Command"] = "unused",
            ["Retraining:Request"] = Request("samples/garments"),
        });
        foreach (var (name, value) in settings) builder.Configuration[$"Retraining:{name}"] = value;
        builder.Logging.AddProvider(new Lines(_logged));
        builder.Services.AddPipeline(builder.Configuration);
        return builder.Build();
    }

    /// <summary>Keeps the lines of the log that tell decisions.</summary>
    private sealed class Lines(List<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception) is var line && line.StartsWith("Retraining", StringComparison.Ordinal)) lines.Add(line);
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Dispose()
        {
        }
    }
}

/// <summary>A storage account, and a hub on this machine.</summary>
public sealed class RetrainingFixture : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("retraining-").FullName;

    internal AzuriteFixture Azurite { get; } = new();

    internal SampleHub Hub { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var model = Directory.CreateDirectory(Path.Combine(_folder, "tiny")).FullName;
        await File.WriteAllTextAsync(Path.Combine(model, "config.json"), "{}");
        Hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 12, Models = _folder });
        await Azurite.InitializeAsync();
    }

    public async Task DisposeAsync()
    {
        await Hub.DisposeAsync();
        await Azurite.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Worker;
using FunctionsPipeline.LocalHost.Worker.Messages;
using FunctionsPipeline.Shared;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Checks everything that the app's worker process tells a Functions host, in Azure or here, and that a host relies on.</summary>
public sealed class ContractTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    // A name that no server has: the app starts without its storage.
    private const string CloudAccount =
        "DefaultEndpointsProtocol=https;AccountName=pipeline;AccountKey=a2V5;EndpointSuffix=storage.invalid";

    // What the host takes for a trigger that names no connection.
    private const string HostConnection = "Storage";

    [Fact]
    public async Task The_functions_are_those_that_were_reviewed()
    {
        await using var worker = await StartedWorker.StartAsync((PipelineStorage.Connection, CloudAccount));
        var functions = worker.Functions.Select(Describe).Order(StringComparer.Ordinal).ToList();

        var reviewed = Path.Combine(Applications.RepositoryRoot, "tests", "FunctionApp.Tests", "functions.snapshot.txt");
        var expected = File.Exists(reviewed) ? await File.ReadAllLinesAsync(reviewed) : [];
        var difference = expected.Except(functions).Select(line => $"- {line}")
            .Concat(functions.Except(expected).Select(line => $"+ {line}")).ToList();
        if (difference.Count == 0) return;
        var reported = Path.Combine(AppContext.BaseDirectory, "functions.reported.txt");
        await File.WriteAllLinesAsync(reported, functions);
        Assert.Fail($"""
            The worker reports other functions than functions.snapshot.txt has:
            {string.Join('\n', difference)}
            If that is meant, and the callers, Event Grid subscriptions and settings in Azure will fit, renew the file:
            cp {reported} {reviewed}
            """);
    }

    [Fact]
    public async Task On_the_emulator_which_sends_no_events_the_host_is_told_to_scan_for_uploads()
    {
        await using var worker = await StartedWorker.StartAsync((PipelineStorage.Connection, azurite.ConnectionString));
        Assert.Contains(
            "UploadedImage: blobTrigger connection=PipelineStorage path=product-images/{name}; durableClient",
            worker.Functions.Select(Describe));
    }

    [Fact]
    public async Task No_connection_is_one_that_the_host_would_look_up_under_another_name()
    {
        await using var worker = await StartedWorker.StartAsync((PipelineStorage.Connection, azurite.ConnectionString));
        var connections = worker.Functions.SelectMany(function => function.RawBindings).Select(Parse)
            .Where(binding => Type(binding) is "blobTrigger" or "blob" or "queueTrigger" or "queue")
            .Select(binding => binding.TryGetProperty("connection", out var connection) ? connection.GetString()! : HostConnection)
            .Distinct().ToList();
        Assert.NotEmpty(connections);
        Assert.NotEmpty(FilesThatSet($"AzureWebJobs{HostConnection}"));
        foreach (var connection in connections) Assert.Empty(FilesThatSet($"AzureWebJobs{connection}"));
    }

    [Fact]
    public async Task A_worker_that_is_asked_to_end_does_so_with_exit_code_0()
    {
        await using var worker = await StartedWorker.StartAsync((PipelineStorage.Connection, azurite.ConnectionString));
        var health = await worker.GetAsync(nameof(HealthEndpoints.GetHealth), "/api/health");
        Assert.Equal("ok", (await health.Content.ReadFromJsonAsync<Health>(PipelineJson.Options))!.Storage);
        Assert.Equal("exit code 0", (await worker.TerminateAsync()).Split(',')[0]);
    }

    [Fact]
    public async Task With_an_identity_that_is_refused_the_worker_starts_and_health_says_so()
    {
        const string Client = "11111111-2222-3333-4444-555555555555";
        var asked = new ConcurrentQueue<string?>();
        await using var identities = await RefuseIdentitiesAsync(request => asked.Enqueue(request.Query["client_id"]));
        await using var worker = await StartedWorker.StartAsync(
            ($"{PipelineStorage.Connection}__blobServiceUri", "https://pipeline.storage.invalid"),
            ($"{PipelineStorage.Connection}__credential", "managedidentity"),
            ($"{PipelineStorage.Connection}__clientId", Client),
            ("IDENTITY_ENDPOINT", $"{identities.Urls.First()}/msi/token"),
            ("IDENTITY_HEADER", "secret"));

        var details = await worker.GetAsync(nameof(HealthEndpoints.GetHealthDetails), "/api/health/details");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, details.StatusCode);
        var health = (await details.Content.ReadFromJsonAsync<Health>(PipelineJson.Options))!;
        Assert.StartsWith("unreachable: ManagedIdentityCredential", health.Storage, StringComparison.Ordinal);
        Assert.All(asked, client => Assert.Equal(Client, client));
        Assert.NotEmpty(asked);
    }

    [Fact]
    public async Task Without_storage_settings_the_worker_does_not_start_and_says_which_are_missing()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => StartedWorker.StartAsync());
        foreach (var setting in new[] { "", "__blobServiceUri", "__credential", "__clientId" })
            Assert.Contains($"{PipelineStorage.Connection}{setting}", failure.Message, StringComparison.Ordinal);
    }

    // One line for a function: its name, then its bindings, each with its type and its properties by name.
    private static string Describe(RpcFunctionMetadata function)
    {
        var bindings = function.RawBindings.Select(Parse).Where(binding => Type(binding) != "http").Select(binding =>
        {
            var properties = binding.EnumerateObject()
                .Where(property => property.Name is not ("name" or "type" or "direction" or "properties"))
                .OrderBy(property => property.Name, StringComparer.Ordinal)
                .Select(property => $" {property.Name}={Text(property.Value)}");
            return Type(binding) + string.Concat(properties);
        });
        return $"{function.Name}: {string.Join("; ", bindings)}";
    }

    private static JsonElement Parse(string binding) => JsonSerializer.Deserialize<JsonElement>(binding);

    private static string Type(JsonElement binding) => binding.GetProperty("type").GetString()!;

    private static string Text(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? string.Join('|', value.EnumerateArray()) : value.ToString();

    /// <summary>
    /// Files of the app, its host and its infrastructure in which a setting is quoted or given a value, rather than spoken of.
    /// </summary>
    private static List<string> FilesThatSet(string setting)
    {
        var pattern = new Regex($@"[""']{setting}(__\w+)?[""']|\b{setting}(__\w+)?\s*[:=]");
        return [.. new[] { "src", "infra", ".vscode" }
            .Select(folder => new DirectoryInfo(Path.Combine(Applications.RepositoryRoot, folder)))
            .SelectMany(folder => folder.EnumerateFiles("*", SearchOption.AllDirectories))
            .Where(file => file.Extension is ".cs" or ".json" or ".bicep" or ".bicepparam" or ".md" or ".sh" or ".yaml")
            .Select(file => file.FullName)
            .Where(file => !file.Contains("/bin/", StringComparison.Ordinal) && !file.Contains("/obj/", StringComparison.Ordinal))
            .Append(Path.Combine(Applications.RepositoryRoot, "pipeline"))
            .Where(file => pattern.IsMatch(File.ReadAllText(file)))];
    }

    // Where an app in Azure asks for its identity's tokens.
    private static async Task<WebApplication> RefuseIdentitiesAsync(Action<HttpRequest> received)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("/msi/token", (HttpRequest request) =>
        {
            received(request);
            return Results.Json(new { statusCode = 400, message = "no such identity" }, statusCode: 400);
        });
        await app.StartAsync();
        return app;
    }
}

/// <summary>The app's built worker process, spoken to as a Functions host does, with no host behind.</summary>
internal sealed class StartedWorker : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WorkerGateway _gateway;
    private readonly WorkerProcess _process;
    private readonly WorkerChannel _channel;
    private readonly HttpClient _http;
    private readonly DirectoryInfo _home;

    private StartedWorker(
        WorkerGateway gateway, WorkerProcess process, DirectoryInfo home, WorkerChannel channel,
        IReadOnlyList<RpcFunctionMetadata> functions)
    {
        _gateway = gateway;
        _process = process;
        _home = home;
        _channel = channel;
        Functions = functions;
        _http = new HttpClient { BaseAddress = channel.Http };
    }

    /// <summary>The app's functions, as the worker reports them.</summary>
    public IReadOnlyList<RpcFunctionMetadata> Functions { get; }

    /// <exception cref="InvalidOperationException">The worker ended; the message has the end of the output.</exception>
    public static async Task<StartedWorker> StartAsync(params IEnumerable<(string Name, string Value)> settings)
    {
        using var limit = new CancellationTokenSource(Patience);
        var gateway = await WorkerGateway.StartAsync(NullLoggerFactory.Instance, limit.Token);
        // The worker writes keys there.
        var home = Directory.CreateTempSubdirectory("worker-");
        var environment = new Dictionary<string, string?>
        {
            ["HOME"] = home.FullName,
            ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
            ["FUNCTIONS_APPLICATION_DIRECTORY"] = Applications.FunctionApp,
            ["FUNCTIONS_WORKER_DIRECTORY"] = Applications.FunctionApp,
        };
        foreach (var (name, value) in settings) environment[name] = value;
        var process = WorkerProcess.Start(Applications.FunctionApp, gateway.Url, environment, NullLogger.Instance);
        try
        {
            var accepting = gateway.AcceptAsync(process.Id, limit.Token);
            var exit = process.WaitForExitAsync();
            if (await Task.WhenAny(accepting, exit) == exit) throw new InvalidOperationException(await exit);
            var channel = await accepting;
            await channel.InitializeAsync(Applications.FunctionApp, limit.Token);
            var functions = await channel.LoadFunctionsAsync(Applications.FunctionApp, limit.Token);
            return new StartedWorker(gateway, process, home, channel, functions);
        }
        catch
        {
            await EndAsync(gateway, process, home);
            throw;
        }
    }

    /// <summary>Calls an HTTP function by both halves of its invocation: the message, and the request that the host forwards.</summary>
    public async Task<HttpResponseMessage> GetAsync(string function, string path)
    {
        using var limit = new CancellationTokenSource(Patience);
        var invocation = new InvocationRequest
        {
            InvocationId = Guid.NewGuid().ToString(),
            FunctionId = Functions.Single(metadata => metadata.Name == function).FunctionId,
            TraceContext = new RpcTraceContext(),
            InputData = { new ParameterBinding { Name = "request", Data = new TypedData { Http = new RpcHttp() } } },
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("x-ms-invocation-id", invocation.InvocationId);
        var answer = _http.SendAsync(request, limit.Token);
        await Task.WhenAll(answer, _channel.InvokeAsync(function, invocation, limit.Token));
        return await answer;
    }

    /// <summary>Asks the worker to end.</summary>
    /// <returns>The worker's exit code and the end of its output.</returns>
    public async Task<string> TerminateAsync()
    {
        _channel.Terminate();
        return await _process.WaitForExitAsync().WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await EndAsync(_gateway, _process, _home);
    }

    private static async Task EndAsync(WorkerGateway gateway, WorkerProcess process, DirectoryInfo home)
    {
        process.Kill(withChildren: true);
        await process.WaitForExitAsync();
        process.Dispose();
        await gateway.DisposeAsync();
        home.Delete(recursive: true);
    }
}

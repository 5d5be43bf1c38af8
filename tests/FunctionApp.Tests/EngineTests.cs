using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>The app's functions on the Durable Task and Storage extensions of the Azure host.</summary>
public sealed class EngineTests(TwoAccountsFixture pipeline) : IClassFixture<TwoAccountsFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Uploads_to_the_pipelines_account_are_read_and_those_to_the_hosts_are_not()
    {
        var images = new BlobContainerClient(pipeline.HostAccount, Containers.ProductImages);
        await images.CreateIfNotExistsAsync();
        await images.GetBlobClient("theirs.txt").UploadAsync(BinaryData.FromString("no image"));
        await new BlobContainerClient(pipeline.PipelineAccount, Containers.ProductImages).GetBlobClient("ours.txt")
            .UploadAsync(BinaryData.FromString("no image"));

        var prediction = new BlobContainerClient(pipeline.PipelineAccount, Containers.Predictions).GetBlobClient("ours.txt.json");
        await UntilAsync(async stop => await prediction.ExistsAsync(stop));
        var document = (await prediction.DownloadContentAsync()).Value.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options)!;
        Assert.Equal(PredictionStatus.Rejected, document.Status);

        // The other upload came first: whoever watched that account too would have seen it by now.
        Assert.False(await new BlobContainerClient(pipeline.HostAccount, Containers.Predictions).ExistsAsync());
        var predictions = new BlobContainerClient(pipeline.PipelineAccount, Containers.Predictions);
        Assert.False(await predictions.GetBlobClient("theirs.txt.json").ExistsAsync());
    }

    [Fact]
    public async Task An_upload_that_the_worker_is_too_busy_for_waits_is_read_can_be_read_again_and_its_history_is_purged()
    {
        var name = $"{TwoAccountsFixture.BusyFolder}/Mäntel & 1.txt";
        var url = $"/api/predictions/{Uri.EscapeDataString(name).Replace("%2F", "/", StringComparison.Ordinal)}";
        var image = new BlobContainerClient(pipeline.PipelineAccount, Containers.ProductImages).GetBlobClient(name);
        var etag = (await image.UploadAsync(BinaryData.FromString("no image"))).Value.ETag.ToString();

        await UntilAsync(async stop => (await GetAsync<WaitingImage>(url, HttpStatusCode.Accepted, stop))
            ?.Detail.Contains("too much to do", StringComparison.Ordinal) == true);
        var page = await pipeline.Http.GetFromJsonAsync<PredictionPage>("/api/predictions?status=waiting", PipelineJson.Options);
        Assert.Equal((name, etag), Assert.Single(page!.Waiting!.Select(waiting => (waiting.Image, waiting.ETag))));

        pipeline.WorkerIsBusy = false;
        PredictionDocument? document = null;
        await UntilAsync(async stop => (document = await GetAsync<PredictionDocument>(url, HttpStatusCode.OK, stop)) is not null);
        Assert.Equal((name, etag, 1), (document!.Image, document.ETag, document.Tries));
        page = await pipeline.Http.GetFromJsonAsync<PredictionPage>(
            $"/api/predictions?status=rejected&prefix={TwoAccountsFixture.BusyFolder}", PipelineJson.Options);
        Assert.Equal(document, Assert.Single(page!.Predictions!));

        var asked = pipeline.Asked;
        var again = await pipeline.Http.PostAsync($"{url}/retry", null);
        Assert.Equal(HttpStatusCode.Accepted, again.StatusCode);
        var accepted = await again.Content.ReadFromJsonAsync<ReadAgainAccepted>(PipelineJson.Options);
        Assert.Equal("Completed", (await pipeline.EndedAsync(accepted!.Id)).GetProperty("runtimeStatus").GetString());
        Assert.Equal(asked + 1, pipeline.Asked);

        var all = await pipeline.Http.PostAsync($"/api/predictions/retry?status=rejected&prefix={TwoAccountsFixture.BusyFolder}", null);
        accepted = await all.Content.ReadFromJsonAsync<ReadAgainAccepted>(PipelineJson.Options);
        var ended = await pipeline.EndedAsync(accepted!.Id);
        Assert.Equal(1, ended.GetProperty("output").GetProperty("read").GetInt32());
        Assert.Equal(asked + 2, pipeline.Asked);

        await UntilAsync(async stop =>
        {
            // Again and again, as readings are kept for a second.
            await pipeline.RunAsync(nameof(PurgeReadings));
            var instances = await pipeline.Http.GetFromJsonAsync<JsonElement[]>(
                $"/runtime/webhooks/durabletask/instances?instanceIdPrefix={ImageReadings.Prefix}", stop);
            return instances!.Length == 0;
        });
    }

    [Fact]
    public async Task An_image_whose_event_was_lost_is_read_all_the_same()
    {
        // As after an event that was lost: the reading is gone, and the receipt of the upload keeps the trigger from starting another.
        var images = new BlobContainerClient(pipeline.PipelineAccount, Containers.ProductImages);
        var etag = (await images.GetBlobClient("forgotten.txt").UploadAsync(BinaryData.FromString("no image"))).Value.ETag;
        var document = new BlobContainerClient(pipeline.PipelineAccount, Containers.Predictions).GetBlobClient("forgotten.txt.json");
        await UntilAsync(async stop => await document.ExistsAsync(stop));
        var id = ImageReadings.Id("forgotten.txt", etag.ToString());
        await pipeline.EndedAsync(id);
        await document.DeleteAsync();
        (await pipeline.Http.DeleteAsync($"/runtime/webhooks/durabletask/instances/{id}")).EnsureSuccessStatusCode();

        await pipeline.RunAsync(nameof(ReadForgottenImages));
        await UntilAsync(async stop => await document.ExistsAsync(stop));
    }

    [Theory]
    [InlineData("GET", "/api/predictions?status=lost&top=1000", 400, "\"status\"")]
    [InlineData("GET", "/api/predictions/no/such.jpg", 404, "no/such.jpg")]
    [InlineData("POST", "/api/predictions/no/such.jpg/retry", 404, "no/such.jpg")]
    [InlineData("POST", "/api/predictions/no/such.jpg/again", 404, "/retry")]
    [InlineData("POST", "/api/predictions/retry", 400, "\"status\"")]
    [InlineData("POST", "/api/models/none/repredict", 409, "does not serve")]
    public async Task A_request_about_predictions_that_makes_no_sense_is_told_why(string method, string url, int status, string told)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), url);
        var response = await pipeline.Http.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(told, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Durable_state_lies_in_the_hosts_account_and_nothing_but_blobs_in_the_pipelines()
    {
        await pipeline.StartAsync(nameof(IngestDataset), "somewhere", new { repo = "samples/nothing" });
        await pipeline.EndedAsync("somewhere");

        Assert.Contains(new QueueServiceClient(pipeline.HostAccount).GetQueues(), queue => queue.Name == "functionspipeline-control-00");
        Assert.Contains(new TableServiceClient(pipeline.HostAccount).Query(), table => table.Name == "FunctionsPipelineHistory");
        Assert.Empty(new TableServiceClient(pipeline.PipelineAccount).Query());
        Assert.DoesNotContain(
            new QueueServiceClient(pipeline.PipelineAccount).GetQueues(),
            queue => queue.Name.StartsWith("functionspipeline", StringComparison.Ordinal));
        var containers = new BlobServiceClient(pipeline.PipelineAccount).GetBlobContainers();
        Assert.Equal(Containers.All.Order(), containers.Select(container => container.Name).Order());
    }

    [Fact]
    public async Task A_failure_that_passes_is_tried_again_after_a_timer_and_the_state_on_the_way_is_camelCase()
    {
        await pipeline.StartAsync(nameof(IngestDataset), "unlucky", new
        {
            repo = TwoAccountsFixture.Dataset,
            columns = new { image = "imageurl", title = "title" },
        });
        var instance = await pipeline.EndedAsync("unlucky");
        Assert.Equal("Completed", instance.GetProperty("runtimeStatus").GetString());
        Assert.Equal(["TaskFailed FindTables", "TimerFired", "TaskCompleted FindTables"], Tasks(instance).Take(3));

        var status = instance.GetProperty("customStatus");
        Assert.Equal("ingesting", status.GetProperty("phase").GetString());
        AssertCamelCase(status);
        AssertCamelCase(instance.GetProperty("output"));
        var file = await pipeline.EndedAsync("unlucky.file-00000");
        AssertCamelCase(file.GetProperty("input"));
    }

    [Fact]
    public async Task A_failure_that_does_not_pass_ends_the_orchestration_at_once_and_says_why()
    {
        await pipeline.StartAsync(nameof(IngestDataset), "hopeless", new { repo = "samples/nothing" });
        var instance = await pipeline.EndedAsync("hopeless");
        Assert.Equal("Failed", instance.GetProperty("runtimeStatus").GetString());
        Assert.Contains("samples/nothing", instance.GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Equal(["TaskFailed FindTables"], Tasks(instance));
    }

    /// <summary>Lists the ends of an instance's tasks and timers, in the order of its history.</summary>
    private static IEnumerable<string> Tasks(JsonElement instance) =>
        from happened in instance.GetProperty("historyEvents").EnumerateArray()
        let type = happened.GetProperty("EventType").GetString()!
        where type is "TaskCompleted" or "TaskFailed" or "TimerFired"
        select happened.TryGetProperty("FunctionName", out var function) ? $"{type} {function.GetString()}" : type;

    private static void AssertCamelCase(JsonElement document)
    {
        Assert.Equal(JsonValueKind.Object, document.ValueKind);
        Assert.All(Members(document), name => Assert.True(char.IsLower(name[0]), name));
    }

    private static IEnumerable<string> Members(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(member => Members(member.Value).Prepend(member.Name)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Members),
        _ => [],
    };

    private async Task<T?> GetAsync<T>(string url, HttpStatusCode status, CancellationToken cancellationToken)
    {
        using var response = await pipeline.Http.GetAsync(url, cancellationToken);
        if (response.StatusCode != status) return default;
        return await response.Content.ReadFromJsonAsync<T>(PipelineJson.Options, cancellationToken);
    }

    private static async Task UntilAsync(Func<CancellationToken, Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!await condition(limit.Token)) await Task.Delay(100, limit.Token);
    }
}

/// <summary>
/// The app in the local host, with one storage account for the host and another for the pipeline, a hub whose first answer is not JSON,
/// and a GPU worker that takes nothing for an image.
/// </summary>
public sealed class TwoAccountsFixture : IAsyncLifetime
{
    /// <summary>Folder of images that the worker is too busy for while <see cref="WorkerIsBusy"/>.</summary>
    public const string BusyFolder = "busy";

    /// <summary>The hub's dataset.</summary>
    public const string Dataset = GarmentsDataset.Id;

    private readonly string _folder = Directory.CreateTempSubdirectory("two-accounts-").FullName;
    private readonly AzuriteFixture _azurite = new();
    private SampleHub? _hub;
    private WebApplication? _worker;
    private FunctionsHost? _host;

    internal HttpClient Http { get; private set; } = null!;

    internal bool WorkerIsBusy { get; set; } = true;

    /// <summary>Number of predictions that the worker has made for images of the busy folder.</summary>
    internal int Asked { get; private set; }

    internal string HostAccount => _azurite.ConnectionString;

    internal string PipelineAccount => _azurite.OtherConnectionString;

    /// <summary>Starts an orchestration, as anybody may who has the host's key.</summary>
    internal async Task StartAsync(string orchestrator, string instance, object input)
    {
        var url = $"/runtime/webhooks/durabletask/orchestrators/{orchestrator}/{instance}";
        (await Http.PostAsJsonAsync(url, input)).EnsureSuccessStatusCode();
    }

    /// <summary>Runs a timer's function now.</summary>
    internal async Task RunAsync(string function) =>
        (await Http.PostAsJsonAsync($"/admin/functions/{function}", new { input = "" })).EnsureSuccessStatusCode();

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
            ["Predictions__KeepHistory"] = "00:00:01",
        });
        Http = new HttpClient { BaseAddress = _host.Url };
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

    private async Task<WebApplication> RefuseImagesAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("/livez", () => Results.Ok());
        app.MapPost("/predict", async (HttpRequest request) =>
        {
            var asked = (await request.ReadFromJsonAsync<PredictRequest>(PipelineJson.Options))!;
            if (asked.Blob.StartsWith(BusyFolder, StringComparison.Ordinal))
            {
                if (WorkerIsBusy) return Results.Problem("too much to do", statusCode: StatusCodes.Status429TooManyRequests);
                Asked++;
            }
            var prediction = new Prediction
            {
                Status = PredictionStatus.Rejected,
                Reason = Rejection.NotAnImage,
                At = DateTimeOffset.UtcNow,
            };
            return Results.Json(prediction, PipelineJson.Options);
        });
        await app.StartAsync();
        return app;
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>Through HTTP, Azurite and the worker process, as a user goes it.</summary>
[Collection(nameof(PipelineCollection))]
public sealed class WholeWayTests(PipelineFixture pipeline)
{
    private static readonly TimeSpan PredictionLimit = TimeSpan.FromMinutes(1);

    [Fact]
    public void A_run_goes_from_a_dataset_to_a_published_model()
    {
        Assert.True(pipeline.Run.RuntimeStatus == "Completed", $"{pipeline.Run.RuntimeStatus}: {pipeline.Run.Error}");
        Assert.Contains(RunPhase.Training, pipeline.Phases);
        var outcome = pipeline.Run.Outcome!;
        Assert.True(outcome.Published, outcome.PublishDecision);
        Assert.Equal(6, outcome.Result.Steps);
        Assert.True(outcome.Result.FineTuned!.Loss < outcome.Result.Base!.Loss);
        Assert.Equal(3, outcome.Result.FineTuned.Generated);
    }

    [Fact]
    public void Every_row_is_accounted_for()
    {
        var counts = pipeline.Run.Outcome!.Dataset.Counts;
        Assert.Equal(PipelineFixture.Rows, counts.Rows);
        Assert.Equal(counts.Rows, counts.Stored + counts.Duplicates + counts.Rejected);
        Assert.True(counts.Rejected > 0, "the sample catalog has bad rows");
        Assert.Equal(counts.Rejected, counts.RejectedBy.Values.Sum());
        Assert.Equal(counts.Stored, pipeline.Run.Outcome.Dataset.Splits.Values.Sum());
    }

    [Fact]
    public async Task Metrics_of_every_step_are_kept()
    {
        var metrics = await pipeline.Client.GetMetricsAsync("short", CancellationToken.None);
        Assert.Equal(6, metrics.Count(line => line.Loss is not null));
        Assert.All(metrics.Where(line => line.Loss is not null), line => Assert.True(line.ResidentBytes > 1 << 20));
        Assert.Contains(metrics, line => line.Validation is not null);
    }

    [Fact]
    public async Task Text_embeddings_are_trained_from_those_of_the_base_model()
    {
        const string embeddings = "model.embed_tokens.weight";
        var models = pipeline.Blobs.GetBlobContainerClient(Containers.Models);
        var (shape, before) = await SafetensorsBlob.ReadFloatsAsync(models, await BaseModelAsync(models), embeddings);
        var (_, after) = await SafetensorsBlob.ReadFloatsAsync(models, pipeline.Run.Outcome!.Result.Model!, embeddings);
        var trained = before.Chunk(shape[1]).Zip(after.Chunk(shape[1]), (row, other) => !row.SequenceEqual(other)).ToList();
        Assert.Equal(shape[0], trained.Count);
        // The words of the prompt and of the answers, and not the many that occur in none.
        Assert.InRange(trained.Count(moved => moved), 10, shape[0] / 2);
    }

    [Fact]
    public async Task An_uploaded_image_gets_a_prediction()
    {
        var image = HeldOutImage.Load(pipeline.Stack.Options.HeldOutFolder)[0];
        await using var file = File.OpenRead(Path.Combine(pipeline.Stack.Options.HeldOutFolder, image.File));
        await pipeline.Client.UploadAsync($"new/{image.File}", file, CancellationToken.None);
        var prediction = await pipeline.Client.WaitForPredictionAsync($"new/{image.File}", PredictionLimit, CancellationToken.None);
        Assert.NotNull(prediction);
        Assert.Equal(PredictionStatus.Predicted, prediction.Status);
        Assert.Equal($"new/{image.File}", prediction.Image);
        var current = await pipeline.Http.GetFromJsonAsync<CurrentModel>("api/models/current", PipelineJson.Options);
        Assert.Equal(current!.Version, prediction.Model);
        Assert.NotNull(prediction.Answer);
    }

    [Fact]
    public async Task A_run_trains_on_an_upload_that_a_person_corrected()
    {
        const string name = "corrected/shoe.jpg";
        var image = HeldOutImage.Load(pipeline.Stack.Options.HeldOutFolder)[1];
        await using var file = File.OpenRead(Path.Combine(pipeline.Stack.Options.HeldOutFolder, image.File));
        await pipeline.Client.UploadAsync(name, file, CancellationToken.None);
        Assert.NotNull(await pipeline.Client.WaitForPredictionAsync(name, PredictionLimit, CancellationToken.None));
        using var corrected = await pipeline.Http.PutAsJsonAsync(
            $"api/predictions/{name}/correction", new { title = "Red Shoe", category = "Shoes", price = 120 });
        Assert.True(corrected.IsSuccessStatusCode, await corrected.Content.ReadAsStringAsync());

        var request = pipeline.Request();
        await pipeline.Client.StartRunAsync(
            request with
            {
                Run = "corrected",
                IncludeCorrections = true,
                Publish = false,
                Dataset = request.Dataset with { MaxRows = 8 },
                Training = request.Training with { MaxSteps = null, Epochs = 1, BatchSize = 1 },
            },
            CancellationToken.None);
        RunView? run = null;
        await foreach (var view in pipeline.Client.FollowAsync("corrected", CancellationToken.None)) run = view;

        Assert.True(run!.Outcome is not null, run.Error);
        Assert.Equal(1, run.Outcome.Corrections!.Splits[Splits.Train]);
        Assert.Equal(run.Outcome.Dataset.Splits[Splits.Train] + 1, run.Outcome.Result.Steps);
    }

    [Theory]
    [InlineData("text.jpg", Rejection.NotAnImage)]
    [InlineData("empty.jpg", Rejection.Empty)]
    [InlineData("truncated.jpg", Rejection.Truncated)]
    [InlineData("huge.png", Rejection.TooManyPixels)]
    public async Task An_upload_that_is_no_usable_image_is_rejected_with_the_reason(string name, string reason)
    {
        using var content = new MemoryStream(Bytes(name));
        await pipeline.Client.UploadAsync($"bad/{name}", content, CancellationToken.None);
        var prediction = await pipeline.Client.WaitForPredictionAsync($"bad/{name}", PredictionLimit, CancellationToken.None);
        Assert.NotNull(prediction);
        Assert.Equal(PredictionStatus.Rejected, prediction.Status);
        Assert.Equal(reason, prediction.Reason);
        Assert.False(string.IsNullOrWhiteSpace(prediction.Detail));
    }

    [Theory]
    [InlineData("dataset.repo", "samples/nothing", HttpStatusCode.NotFound)]
    [InlineData("dataset.columns.title", "nothing", HttpStatusCode.BadRequest)]
    [InlineData("training.learningRate", -1, HttpStatusCode.BadRequest)]
    [InlineData("training.learningRate", "fast", HttpStatusCode.BadRequest)]
    [InlineData("baseModel.repo", "samples/nothing", HttpStatusCode.NotFound)]
    public async Task A_bad_request_names_the_field_and_starts_nothing(string field, object value, HttpStatusCode status)
    {
        var request = JsonSerializer.SerializeToNode(pipeline.Request() with { Run = "refused" }, PipelineJson.Options)!;
        var path = field.Split('.');
        var parent = path[..^1].Aggregate(request, (node, name) => node[name]!);
        parent[path[^1]] = JsonSerializer.SerializeToNode(value);
        using var response = await PostAsync(request.ToJsonString());
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(field, JsonNode.Parse(await response.Content.ReadAsStringAsync())!["field"]!.GetValue<string>());
        await AssertNotStartedAsync();
    }

    [Fact]
    public async Task Malformed_json_is_refused_and_starts_nothing()
    {
        using var response = await PostAsync("""{ "run": "refused", """);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        await AssertNotStartedAsync();
    }

    private Task<HttpResponseMessage> PostAsync(string json) => pipeline.Http.PostAsync(
        "api/runs", new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json")));

    private static async Task<string> BaseModelAsync(BlobContainerClient models)
    {
        await foreach (var blob in models.GetBlobsAsync())
            if (blob.Name.Split('/')[0] is var folder && BlobNames.HubRepo(folder) == LocalStack.BaseModel) return folder;
        throw new InvalidOperationException("The base model is not in storage.");
    }

    private async Task AssertNotStartedAsync()
    {
        using var response = await pipeline.Http.GetAsync("api/runs/refused");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    private byte[] Bytes(string name) => name switch
    {
        "text.jpg" => "This is no picture."u8.ToArray(),
        "empty.jpg" => [],
        "huge.png" => HugePng.Create(30000, 30000),
        _ => Truncated(),
    };

    private byte[] Truncated()
    {
        var folder = pipeline.Stack.Options.HeldOutFolder;
        var whole = File.ReadAllBytes(Path.Combine(folder, HeldOutImage.Load(folder)[1].File));
        return whole[..(whole.Length / 2)];
    }
}

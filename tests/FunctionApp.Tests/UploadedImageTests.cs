using System.Net;
using System.Net.Http.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class UploadedImageTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly string _name = $"spring/{Guid.NewGuid():N}.jpg";

    private BlobClient Image => azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(_name);

    private BlobClient Prediction => azurite.Blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient($"{_name}.json");

    public async Task InitializeAsync()
    {
        foreach (var container in Containers.All) await azurite.Blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData(PredictionStatus.Predicted)]
    [InlineData(PredictionStatus.Rejected)]
    public async Task The_answer_to_an_image_is_written_beside_its_name(PredictionStatus status)
    {
        var version = await UploadAsync("one");
        var worker = new FakeWorker(asked => Task.FromResult(FakeWorker.Ok(Answer(asked) with { Status = status })));
        await RunAsync(worker);
        Assert.Equal(new PredictRequest(_name, version), Assert.Single(worker.Requests));
        var written = await ReadAsync();
        Assert.Equal(status, written.Status);
        Assert.Equal(version, written.ETag);
    }

    [Fact]
    public async Task The_same_version_predicted_again_is_rewritten()
    {
        await UploadAsync("one");
        await RunAsync(new FakeWorker(asked => Task.FromResult(FakeWorker.Ok(Answer(asked) with { Model = "first" }))));
        await RunAsync(new FakeWorker(asked => Task.FromResult(FakeWorker.Ok(Answer(asked) with { Model = "second" }))));
        Assert.Equal("second", (await ReadAsync()).Model);
    }

    [Fact]
    public async Task An_answer_to_an_older_version_never_takes_the_place_of_a_newer_one()
    {
        await UploadAsync("one");
        var newer = "";
        var slow = new FakeWorker(async asked =>
        {
            newer = await UploadAsync("two");
            await RunAsync(new FakeWorker(second => Task.FromResult(FakeWorker.Ok(Answer(second)))));
            return FakeWorker.Ok(Answer(asked));
        });
        await RunAsync(slow);
        Assert.NotEqual(newer, slow.Requests[0].ETag);
        Assert.Equal(newer, (await ReadAsync()).ETag);
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.PreconditionFailed)]
    public async Task An_image_that_the_worker_finds_changed_or_deleted_is_dropped(HttpStatusCode status)
    {
        await UploadAsync("one");
        await RunAsync(new FakeWorker(async _ =>
        {
            if (status == HttpStatusCode.NotFound) await Image.DeleteAsync();
            else await UploadAsync("two");
            return new HttpResponseMessage(status);
        }));
        Assert.False(await Prediction.ExistsAsync());
    }

    [Fact]
    public async Task An_image_that_only_the_worker_does_not_find_is_not_dropped()
    {
        await UploadAsync("one");
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(FakeWorker.Answering(HttpStatusCode.NotFound)));
        Assert.Contains("Worker:Url", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_that_is_gone_is_dropped_without_asking_the_worker()
    {
        var worker = FakeWorker.Answering(HttpStatusCode.InternalServerError);
        await RunAsync(worker);
        Assert.Empty(worker.Requests);
    }

    [Fact]
    public async Task An_image_that_is_deleted_while_the_worker_reads_it_gets_no_document()
    {
        await UploadAsync("one");
        await RunAsync(new FakeWorker(async asked =>
        {
            await Image.DeleteAsync();
            return FakeWorker.Ok(Answer(asked));
        }));
        Assert.False(await Prediction.ExistsAsync());
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.InternalServerError)]
    [InlineData(HttpStatusCode.BadRequest)]
    public async Task A_worker_that_cannot_answer_fails_the_call_so_that_the_trigger_tries_again(HttpStatusCode status)
    {
        await UploadAsync("one");
        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => RunAsync(FakeWorker.Answering(status)));
        Assert.Equal(status, failure.StatusCode);
        Assert.Contains("said the worker", failure.Message, StringComparison.Ordinal);
        Assert.False(await Prediction.ExistsAsync());
    }

    [Fact]
    public async Task A_worker_that_cannot_be_reached_fails_the_call()
    {
        await UploadAsync("one");
        var unreachable = new FakeWorker(_ => throw new HttpRequestException("Connection refused"));
        await Assert.ThrowsAsync<HttpRequestException>(() => RunAsync(unreachable));
    }

    [Fact]
    public async Task A_missing_setting_of_the_worker_is_named()
    {
        await UploadAsync("one");
        var worker = new PredictionClient(new HttpClient());
        var failure = await Assert.ThrowsAsync<PermanentFailureException>(() => RunAsync(worker));
        Assert.Contains("Worker:Url", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Worker:Url", await worker.HealthAsync(default), StringComparison.Ordinal);
    }

    private Task RunAsync(FakeWorker worker) => RunAsync(worker.Client);

    private Task RunAsync(PredictionClient worker) =>
        new UploadedImage(worker, new PredictionWriter(azurite.Blobs), NullLogger<UploadedImage>.Instance).RunAsync(Image, _name, default);

    private async Task<string> UploadAsync(string content) =>
        (await Image.UploadAsync(BinaryData.FromString(content), overwrite: true)).Value.ETag.ToString();

    private async Task<PredictionDocument> ReadAsync() =>
        (await Prediction.DownloadContentAsync()).Value.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options)!;

    private static PredictionDocument Answer(PredictRequest asked) =>
        new() { Image = asked.Blob, ETag = asked.ETag, Status = PredictionStatus.Predicted, At = DateTimeOffset.UnixEpoch };
}

/// <summary>A GPU worker that answers as a test says.</summary>
internal sealed class FakeWorker(Func<PredictRequest, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    public List<PredictRequest> Requests { get; } = [];

    public PredictionClient Client => new(new HttpClient(this) { BaseAddress = new Uri("http://worker.test") });

    public static FakeWorker Answering(HttpStatusCode status) =>
        new(_ => Task.FromResult(new HttpResponseMessage(status) { Content = new StringContent("said the worker") }));

    public static HttpResponseMessage Ok(PredictionDocument prediction) =>
        new(HttpStatusCode.OK) { Content = JsonContent.Create(prediction, options: PipelineJson.Options) };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Assert.Equal(HttpMethod.Post, request.Method);
        Assert.Equal("/predict", request.RequestUri!.AbsolutePath);
        var asked = (await request.Content!.ReadFromJsonAsync<PredictRequest>(PipelineJson.Options, cancellationToken))!;
        Requests.Add(asked);
        return await answer(asked);
    }
}

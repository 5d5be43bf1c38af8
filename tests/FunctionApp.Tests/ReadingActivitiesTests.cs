using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class ReadingActivitiesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly string _name = $"spring/{Guid.NewGuid():N}.jpg";

    private BlobClient Image => azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(_name);

    private PredictionStore Store => new(azurite.Blobs);

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
        var reading = await UploadAsync("one");
        var worker = new FakeWorker(_ => FakeWorker.Ok(Answer("m1") with { Status = status }));
        var third = reading with { Tries = 2, UploadedAt = reading.UploadedAt.AddSeconds(-5) };
        Assert.Equal(ReadingState.Answered, (await AskAsync(worker, third)).State);
        Assert.Equal(new PredictRequest(_name, reading.ETag), Assert.Single(worker.Requests));
        var written = (await Store.ReadAsync(_name, default))!;
        Assert.Equal((_name, reading.ETag, status, 3), (written.Image, written.ETag, written.Status, written.Tries));
        Assert.InRange(written.QueueSeconds, 5, 60);
    }

    [Theory]
    [InlineData("m1", 1, "m1", 1, "first")]
    [InlineData("m1", 1, "m2", 2, "second")]
    [InlineData("m2", 2, "m1", 1, "first")]
    public async Task Of_two_answers_to_a_version_the_one_of_the_later_model_remains_and_the_first_of_one_model(
        string first, int firstDay, string second, int secondDay, string remains)
    {
        var reading = await UploadAsync("one");
        await AskAsync(new FakeWorker(_ => FakeWorker.Ok(Answer(first, firstDay) with { Answer = "first" })), reading);
        await AskAsync(new FakeWorker(_ => FakeWorker.Ok(Answer(second, secondDay) with { Answer = "second" })), reading);
        Assert.Equal(remains, (await Store.ReadAsync(_name, default))!.Answer);
    }

    [Fact]
    public async Task An_answer_to_an_older_version_never_takes_the_place_of_a_newer_one()
    {
        var older = await UploadAsync("one");
        ImageReading newer = null!;
        var slow = new FakeWorker(async _ =>
        {
            newer = await UploadAsync("two");
            await AskAsync(new FakeWorker(_ => FakeWorker.Ok(Answer("m1"))), newer);
            return FakeWorker.Ok(Answer("m1"));
        });
        Assert.Equal(ReadingState.Superseded, (await AskAsync(slow, older)).State);
        Assert.Equal(newer.ETag, (await Store.ReadAsync(_name, default))!.ETag);
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.PreconditionFailed)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    public async Task A_version_that_was_changed_or_deleted_meanwhile_ends_quietly(HttpStatusCode status)
    {
        var reading = await UploadAsync("one");
        var worker = new FakeWorker(async _ =>
        {
            if (status == HttpStatusCode.NotFound) await Image.DeleteAsync();
            else await UploadAsync("two");
            return new HttpResponseMessage(status);
        });
        Assert.Equal(ReadingState.Superseded, (await AskAsync(worker, reading)).State);
        Assert.Null(await Store.ReadAsync(_name, default));
    }

    [Fact]
    public async Task An_image_that_is_deleted_while_the_worker_reads_it_gets_no_document()
    {
        var reading = await UploadAsync("one");
        var worker = new FakeWorker(async _ =>
        {
            await Image.DeleteAsync();
            return FakeWorker.Ok(Answer("m1"));
        });
        Assert.Equal(ReadingState.Superseded, (await AskAsync(worker, reading)).State);
        Assert.Null(await Store.ReadAsync(_name, default));
    }

    [Fact]
    public async Task An_image_that_only_the_worker_does_not_find_is_waited_for()
    {
        var reply = await AskAsync(FakeWorker.Answering(HttpStatusCode.NotFound), await UploadAsync("one"));
        Assert.Equal(ReadingState.Away, reply.State);
        Assert.Contains("storage", reply.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests, ReadingState.Busy)]
    [InlineData(HttpStatusCode.ServiceUnavailable, ReadingState.NotReady)]
    [InlineData(HttpStatusCode.InternalServerError, ReadingState.Away)]
    [InlineData(HttpStatusCode.BadGateway, ReadingState.Away)]
    [InlineData(HttpStatusCode.Unauthorized, ReadingState.Away)]
    public async Task A_worker_that_cannot_answer_is_waited_for_with_its_reason_and_its_pause(HttpStatusCode status, ReadingState state)
    {
        var worker = FakeWorker.Answering(status, retryAfter: TimeSpan.FromSeconds(42));
        var reply = await AskAsync(worker, await UploadAsync("one"));
        Assert.Equal(state, reply.State);
        Assert.Contains("said the worker", reply.Reason, StringComparison.Ordinal);
        Assert.Equal(42, reply.Pause.TotalSeconds);
        Assert.Equal(state is ReadingState.NotReady or ReadingState.Away ? 1 : 0, worker.Warmed);
        Assert.Null(await Store.ReadAsync(_name, default));
    }

    [Theory]
    [InlineData(HttpRequestError.ConnectionError, ReadingState.Away)]
    [InlineData(HttpRequestError.NameResolutionError, ReadingState.Away)]
    [InlineData(HttpRequestError.ResponseEnded, ReadingState.Broken)]
    [InlineData(HttpRequestError.Unknown, ReadingState.Broken)]
    public async Task A_connection_that_cannot_be_made_is_no_fault_of_the_image_and_one_that_breaks_may_be(
        HttpRequestError error, ReadingState state)
    {
        var failure = new HttpRequestException(error, "no luck", new SocketException());
        var worker = new FakeWorker(_ => Task.FromException<HttpResponseMessage>(failure));
        Assert.Equal(state, (await AskAsync(worker, await UploadAsync("one"))).State);
    }

    [Fact]
    public async Task A_prediction_that_takes_too_long_may_be_the_images_fault()
    {
        var worker = new FakeWorker(async _ =>
        {
            await Task.Delay(Timeout.Infinite, new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
            return FakeWorker.Ok(Answer("m1"));
        });
        var reply = await AskAsync(worker.Client(TimeSpan.FromMilliseconds(50)), await UploadAsync("one"));
        Assert.Equal(ReadingState.Broken, reply.State);
        Assert.InRange(reply.Pause.TotalSeconds, 2.5, 7.5);
    }

    [Fact]
    public async Task A_worker_that_does_not_answer_at_all_is_not_asked_to_read_and_one_that_just_has_is_asked_at_once()
    {
        var worker = new FakeWorker(_ => FakeWorker.Ok(Answer("m1"))) { IsStarting = true };
        var (client, reading) = (worker.Client(), await UploadAsync("one"));
        var reply = await AskAsync(client, reading);
        Assert.Equal(ReadingState.Away, reply.State);
        Assert.Contains("does not answer", reply.Reason, StringComparison.Ordinal);
        Assert.Empty(worker.Requests);

        worker.IsStarting = false;
        Assert.Equal(ReadingState.Answered, (await AskAsync(client, reading)).State);
        worker.IsStarting = true;
        await AskAsync(client, reading);
        Assert.Equal(2, worker.Requests.Count);
    }

    [Fact]
    public async Task A_missing_setting_of_the_worker_is_named_and_waited_for()
    {
        var worker = new PredictionClient(new HttpClient(), TimeSpan.FromMinutes(1), TimeProvider.System);
        var reply = await AskAsync(worker, await UploadAsync("one"));
        Assert.Equal(ReadingState.Away, reply.State);
        Assert.Contains("Worker:Url", reply.Reason, StringComparison.Ordinal);
        Assert.Contains("Worker:Url", await worker.HealthAsync(default), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reading_that_gives_up_writes_a_failed_document_that_any_answer_replaces_and_that_replaces_none()
    {
        var reading = await UploadAsync("one") with { Tries = 7 };
        var hopeless = reading with { Failure = new ReadingFailure(PredictionFailure.OutOfPatience, "refused") };
        var worker = FakeWorker.Answering(HttpStatusCode.InternalServerError);
        Assert.Equal(ReadingState.Answered, (await AskAsync(worker, hopeless)).State);
        Assert.Empty(worker.Requests);
        var failed = (await Store.ReadAsync(_name, default))!;
        Assert.Equal((PredictionStatus.Failed, "refused", 7), (failed.Status, failed.Detail, failed.Tries));

        await AskAsync(new FakeWorker(_ => FakeWorker.Ok(Answer("m1"))), reading);
        await AskAsync(worker, hopeless);
        Assert.Equal(PredictionStatus.Predicted, (await Store.ReadAsync(_name, default))!.Status);
    }

    [Fact]
    public async Task More_requests_than_the_app_makes_at_once_wait_one_after_another_without_asking()
    {
        var reading = await UploadAsync("one");
        var slots = Slots(concurrency: 2);
        var replies = new List<WorkerReply>();
        WorkerReply[] answered = [];
        var inner = new FakeWorker(async _ =>
        {
            for (var i = 0; i < 3; i++)
                replies.Add(await AskAsync(FakeWorker.Answering(HttpStatusCode.BadRequest).Client(), reading, slots));
            return FakeWorker.Ok(Answer("m1"));
        });
        var outer = new FakeWorker(async _ =>
        {
            answered = [await AskAsync(inner.Client(), reading, slots)];
            return FakeWorker.Ok(Answer("m1"));
        });
        await AskAsync(outer.Client(), reading, slots);
        Assert.Equal(ReadingState.Answered, Assert.Single(answered).State);
        Assert.All(replies, reply => Assert.Equal(ReadingState.Busy, reply.State));
        Assert.Equal([1, 1, 1.5], replies.Select(reply => Math.Round(reply.Pause.TotalSeconds, 1)));
    }

    [Fact]
    public async Task Documents_are_listed_by_status_prefix_and_model_page_by_page()
    {
        var folder = Guid.NewGuid().ToString("N");
        for (var i = 0; i < 5; i++)
        {
            var image = azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient($"{folder}/{i}.jpg");
            var etag = (await image.UploadAsync(BinaryData.FromString("x"))).Value.ETag.ToString();
            var status = i == 2 ? PredictionStatus.Rejected : PredictionStatus.Predicted;
            await Store.WriteAsync(new PredictionDocument(Answer(i < 4 ? "m1" : "m2") with { Status = status }, image.Name, etag), default);
        }
        Assert.Equal(["0", "1", "3"], await ListAsync(new PredictionFilter(PredictionStatus.Predicted, folder, "m1")));
        Assert.Equal(["4"], await ListAsync(new PredictionFilter(Prefix: folder, NotModel: "m1")));
        Assert.Equal(["0", "1", "2", "3", "4"], await ListAsync(new PredictionFilter(Prefix: folder)));

        async Task<List<string>> ListAsync(PredictionFilter filter)
        {
            var names = new List<string>();
            string? continuation = null;
            do
            {
                (var documents, continuation) = await Store.ListAsync(filter, top: 2, continuation, default);
                Assert.InRange(documents.Count, 0, 2);
                names.AddRange(documents.Select(document => Path.GetFileNameWithoutExtension(document.Image)));
            }
            while (continuation is not null);
            return names;
        }
    }

    [Fact]
    public async Task Answers_of_low_confidence_are_listed_and_counted_also_those_of_earlier_versions()
    {
        var folder = Guid.NewGuid().ToString("N");
        await WriteAsync("0", new Confidence(0.5, null, null, null));
        await WriteAsync("1", new Confidence(0.7, null, null, null));
        await WriteAsync("2", null);
        await WriteAsync("3", null, PredictionStatus.Rejected);
        await WriteAsync("4", null, PredictionStatus.Failed);
        await WriteAsync("5", new Confidence(1e-9, null, null, null));
        // As earlier versions wrote blobs: without a confidence in the metadata.
        foreach (var name in new[] { "0", "1" })
        {
            var blob = azurite.Blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient($"{folder}/{name}.json");
            var metadata = (await blob.GetPropertiesAsync()).Value.Metadata;
            Assert.True(metadata.Remove("confidence"));
            await blob.SetMetadataAsync(metadata);
        }
        Assert.Equal([$"{folder}/0", $"{folder}/5"], await ListAsync(0.7));
        Assert.Equal([$"{folder}/0", $"{folder}/1", $"{folder}/5"], await ListAsync(0.71));
        Assert.Empty(await ListAsync(0));
        Assert.Equal(new UploadCounts(4, 1, 1, 2, 0, true), await Store.CountAsync(folder, 0.7, default));
        Assert.Equal(new UploadCounts(4, 1, 1, 0, 0, true), await Store.CountAsync(folder, null, default));
        Assert.Equal(new UploadCounts(0, 0, 0, 0, 0, true), await Store.CountAsync($"{folder}/6", 0.7, default));

        async Task<IEnumerable<string>> ListAsync(double below) =>
            (await Store.ListAsync(new PredictionFilter(Prefix: folder, Below: below), 100, null, default)).Documents
                .Select(document => document.Image);

        async Task WriteAsync(string name, Confidence? confidence, PredictionStatus status = PredictionStatus.Predicted)
        {
            var image = azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient($"{folder}/{name}");
            var etag = (await image.UploadAsync(BinaryData.FromString("x"))).Value.ETag.ToString();
            var answer = Answer("m1") with { Status = status, Confidence = confidence };
            Assert.True(await Store.WriteAsync(new PredictionDocument(answer, image.Name, etag), default));
        }
    }

    private Task<WorkerReply> AskAsync(FakeWorker worker, ImageReading reading) => AskAsync(worker.Client(), reading);

    private Task<WorkerReply> AskAsync(PredictionClient worker, ImageReading reading, WorkerSlots? slots = null) =>
        new ReadingActivities(
            worker, slots ?? Slots(), Store, new ImageReadings(Settings(8), TimeProvider.System), TimeProvider.System,
            NullLogger<ReadingActivities>.Instance).AskWorker(reading, default);

    private static WorkerSlots Slots(int concurrency = 8) => new(Settings(concurrency), TimeProvider.System);

    private static IOptions<PipelineOptions> Settings(int concurrency) =>
        Options.Create(new PipelineOptions { Worker = new WorkerOptions { Concurrency = concurrency } });

    private async Task<ImageReading> UploadAsync(string content)
    {
        var etag = (await Image.UploadAsync(BinaryData.FromString(content), overwrite: true)).Value.ETag.ToString();
        var now = DateTimeOffset.UtcNow;
        return new ImageReading(_name, etag, now, now, now.AddHours(1));
    }

    private static Prediction Answer(string model, int day = 1) => new()
    {
        Status = PredictionStatus.Predicted,
        Model = model,
        ModelPublishedAt = DateTimeOffset.UnixEpoch.AddDays(day),
        At = DateTimeOffset.UnixEpoch,
    };
}

/// <summary>A GPU worker that answers as a test says.</summary>
internal sealed class FakeWorker(Func<PredictRequest, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    public FakeWorker(Func<PredictRequest, HttpResponseMessage> answer)
        : this(asked => Task.FromResult(answer(asked)))
    {
    }

    public List<PredictRequest> Requests { get; } = [];

    /// <summary>Number of times that the worker was asked to load its model.</summary>
    public int Warmed { get; private set; }

    /// <summary>True for a worker that leaves requests without an answer until it has started.</summary>
    public bool IsStarting { get; set; }

    public PredictionClient Client(TimeSpan? timeout = null) =>
        new(new HttpClient(this) { BaseAddress = new Uri("http://worker.test") }, timeout ?? TimeSpan.FromMinutes(1), TimeProvider.System);

    public static FakeWorker Answering(HttpStatusCode status, TimeSpan? retryAfter = null) => new(_ =>
    {
        var response = new HttpResponseMessage(status) { Content = new StringContent("said the worker") };
        if (retryAfter is { } pause) response.Headers.RetryAfter = new RetryConditionHeaderValue(pause);
        return response;
    });

    public static HttpResponseMessage Ok(Prediction prediction) =>
        new(HttpStatusCode.OK) { Content = JsonContent.Create(prediction, options: PipelineJson.Options) };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri!.AbsolutePath == "/livez")
            return IsStarting ? throw new TaskCanceledException() : new HttpResponseMessage(HttpStatusCode.OK);
        Assert.Equal(HttpMethod.Post, request.Method);
        if (request.RequestUri.AbsolutePath == "/warm")
        {
            Warmed++;
            return new HttpResponseMessage(HttpStatusCode.Accepted);
        }
        Assert.Equal("/predict", request.RequestUri.AbsolutePath);
        var asked = (await request.Content!.ReadFromJsonAsync<PredictRequest>(PipelineJson.Options, cancellationToken))!;
        Requests.Add(asked);
        return await answer(asked).WaitAsync(cancellationToken);
    }
}

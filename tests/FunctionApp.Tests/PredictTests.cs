using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class PredictTests
{
    private static readonly byte[] Bytes = [1, 2, 3];

    [Theory]
    [InlineData("image/png")]
    // The worker would take JSON for a request to read from storage.
    [InlineData("application/json")]
    [InlineData(null)]
    public async Task An_image_is_answered_at_once(string? type)
    {
        var worker = new RawWorker(
            _ => new HttpResponseMessage(HttpStatusCode.OK) { Content = JsonContent.Create(Green, options: PipelineJson.Options) });
        var answer = await PredictAsync(worker, type);
        Assert.Equal(200, answer.StatusCode);
        Assert.Equal(Green, JsonSerializer.Deserialize<Prediction>(answer.Content!, PipelineJson.Options));
        Assert.Equal(Bytes, worker.Body);
        Assert.Equal("application/octet-stream", worker.Type?.MediaType);
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests, 429, "the queue is full")]
    [InlineData(HttpStatusCode.ServiceUnavailable, 503, "the queue is full")]
    [InlineData(HttpStatusCode.InternalServerError, 503, "the queue is full")]
    [InlineData(HttpStatusCode.Unauthorized, 503, "Worker:Key")]
    public async Task A_refusal_of_the_worker_is_passed_on_with_its_pause(HttpStatusCode refused, int status, string detail)
    {
        var worker = new RawWorker(_ => new HttpResponseMessage(refused)
        {
            Content = JsonContent.Create(new { detail = "the queue is full" }),
            Headers = { RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromSeconds(7)) },
        });
        var request = Request(null);
        var answer = await PredictAsync(worker.Client, request);
        Assert.Equal(status, answer.StatusCode);
        Assert.Contains(detail, Detail(answer), StringComparison.Ordinal);
        Assert.Equal("7", request.HttpContext.Response.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_worker_that_cannot_be_reached_or_is_not_set_up_is_a_problem()
    {
        var away = new RawWorker(_ => throw new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused"));
        var answer = await PredictAsync(away, null);
        Assert.Equal(503, answer.StatusCode);
        Assert.Contains("Connection refused", Detail(answer), StringComparison.Ordinal);

        answer = await PredictAsync(new PredictionClient(new HttpClient(), TimeSpan.FromMinutes(1), TimeProvider.System), Request(null));
        Assert.Equal(503, answer.StatusCode);
        Assert.Contains("Worker:Url", Detail(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_that_dies_over_the_image_is_a_bad_gateway()
    {
        var worker = new RawWorker(_ => throw new HttpRequestException(HttpRequestError.ResponseEnded, "The response ended"));
        Assert.Equal(502, (await PredictAsync(worker, null)).StatusCode);
    }

    [Fact]
    public async Task Events_are_handed_on_as_the_worker_sends_them()
    {
        var events = PredictionEvents.Format("delta", new AnswerDelta("Green\n")) + PredictionEvents.Format("prediction", Green);
        var request = Request(null);
        var answer = await StreamAsync(new RawWorker(_ => Stream(events)), request);
        Assert.IsType<EmptyResult>(answer);
        Assert.Equal("text/event-stream", request.HttpContext.Response.ContentType);
        Assert.Equal(events, Sent(request));
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests, 429)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 503)]
    public async Task An_error_before_the_first_event_is_a_response_as_without_a_stream(HttpStatusCode refused, int status)
    {
        var request = Request(null);
        var answer = await StreamAsync(new RawWorker(_ => new HttpResponseMessage(refused)), request);
        Assert.Equal(status, Assert.IsType<ContentResult>(answer).StatusCode);
        Assert.Empty(Sent(request));
    }

    [Theory]
    [InlineData("")]
    [InlineData("event: delta\ndata: {\"te")]
    public async Task A_worker_that_dies_in_the_middle_is_a_last_event(string cutOff)
    {
        var delta = PredictionEvents.Format("delta", new AnswerDelta("Green"));
        var request = Request(null);
        Assert.IsType<EmptyResult>(await StreamAsync(new RawWorker(_ => Stream(delta + cutOff)), request));
        Assert.StartsWith($"{delta}event: problem\ndata: {{\"status\":502,", Sent(request), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_that_cannot_stream_answers_in_one_event()
    {
        var request = Request(null);
        var worker = new RawWorker(_ => new HttpResponseMessage { Content = JsonContent.Create(Green, options: PipelineJson.Options) });
        await StreamAsync(worker, request);
        Assert.Equal(PredictionEvents.Format("prediction", Green), Sent(request));
    }

    [Fact]
    public async Task Events_come_through_host_and_app_one_by_one_and_a_caller_that_goes_ends_the_work()
    {
        var azurite = new AzuriteFixture();
        await azurite.InitializeAsync();
        await using var worker = await StreamingWorker.StartAsync();
        await using var hub = await SampleHub.StartAsync(new HubServerOptions());
        var home = Directory.CreateTempSubdirectory("predict-");
        await using var host = await AppHost.StartAsync(
            home.FullName, azurite.ConnectionString, hub, [new("Worker__Url", worker.Url.ToString())]);
        using var http = new HttpClient { BaseAddress = host.Url };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/predict") { Content = new ByteArrayContent(Bytes) };
        request.Headers.Accept.ParseAdd("text/event-stream");

        using (var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
            await using var events = SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator();
            for (var i = 0; i < 3; i++)
            {
                // The worker waits for this before it sends the next one.
                Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
                Assert.Equal(("delta", $"{{\"text\":\"{i}\"}}"), (events.Current.EventType, events.Current.Data));
                worker.Next.Release();
            }
            // One more is on its way when the caller goes.
        }
        await worker.Aborted.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await azurite.DisposeAsync();
        home.Delete(recursive: true);
    }

    private static async Task<IActionResult> StreamAsync(RawWorker worker, HttpRequest request)
    {
        request.Headers.Accept = "text/event-stream";
        request.HttpContext.Response.Body = new MemoryStream();
        return await new ImageEndpoints(null!, null!, worker.Client, null!).Predict(request, default);
    }

    private static HttpResponseMessage Stream(string events) =>
        new() { Content = new StringContent(events, Encoding.UTF8, "text/event-stream") };

    private static string Sent(HttpRequest request) =>
        Encoding.UTF8.GetString(((MemoryStream)request.HttpContext.Response.Body).ToArray());

    private static Prediction Green { get; } =
        new() { Status = PredictionStatus.Predicted, Title = "Green Coat", Model = "first", At = DateTimeOffset.UnixEpoch };

    private static Task<ContentResult> PredictAsync(RawWorker worker, string? type) => PredictAsync(worker.Client, Request(type));

    private static async Task<ContentResult> PredictAsync(PredictionClient worker, HttpRequest request) =>
        Assert.IsType<ContentResult>(await new ImageEndpoints(null!, null!, worker, null!).Predict(request, default));

    private static HttpRequest Request(string? type)
    {
        var request = new DefaultHttpContext().Request;
        request.Body = new MemoryStream(Bytes);
        request.ContentType = type;
        return request;
    }

    private static string Detail(ContentResult answer) =>
        JsonSerializer.Deserialize<Problem>(answer.Content!, PipelineJson.Options)!.Detail;

    /// <summary>A GPU worker that takes images as bodies.</summary>
    private sealed class RawWorker(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        public byte[]? Body { get; private set; }

        public MediaTypeHeaderValue? Type { get; private set; }

        public PredictionClient Client =>
            new(new HttpClient(this) { BaseAddress = new Uri("http://worker.test") }, TimeSpan.FromMinutes(1), TimeProvider.System);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri!.AbsolutePath == "/livez") return new HttpResponseMessage(HttpStatusCode.OK);
            Assert.Equal("/predict", request.RequestUri.AbsolutePath);
            Body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
            Type = request.Content.Headers.ContentType;
            return answer(request);
        }
    }

    /// <summary>A GPU worker that sends an event whenever the test says so, until its caller has gone.</summary>
    private sealed class StreamingWorker : IAsyncDisposable
    {
        private readonly WebApplication _app;

        private StreamingWorker(WebApplication app) => _app = app;

        public SemaphoreSlim Next { get; } = new(1);

        public TaskCompletionSource Aborted { get; } = new();

        public Uri Url => new(_app.Urls.First());

        public static async Task<StreamingWorker> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            var worker = new StreamingWorker(builder.Build());
            worker._app.MapGet("/livez", () => Results.Ok());
            worker._app.MapPost("/predict", worker.StreamAsync);
            await worker._app.StartAsync();
            return worker;
        }

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();

        private async Task StreamAsync(HttpContext context)
        {
            context.Response.ContentType = "text/event-stream";
            using var aborted = context.RequestAborted.Register(() => Aborted.TrySetResult());
            for (var i = 0; ; i++)
            {
                await Next.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync(PredictionEvents.Format("delta", new AnswerDelta($"{i}")), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
    }
}

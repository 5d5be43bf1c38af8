using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

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
}

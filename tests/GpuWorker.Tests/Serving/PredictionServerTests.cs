using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.DependencyInjection;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

[Collection(nameof(ServingCollection))]
public sealed partial class PredictionServerTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private ServedModels _models = null!;

    public async Task InitializeAsync() => _models = await ServedModels.CreateAsync(azurite.Blobs, azurite.ConnectionString);

    public async Task DisposeAsync() => await _models.DisposeAsync();

    [Fact]
    public async Task An_image_is_answered_from_storage_and_from_the_body_alike()
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        var (status, stored) = await http.PredictAsync(await _models.UploadAsync("shoes/1.jpg", TestImages.Jpeg()));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(PredictionStatus.Predicted, stored!.Status);
        Assert.Equal(("v1", DateTimeOffset.UnixEpoch), (stored.Model, stored.ModelPublishedAt));
        Assert.NotNull(stored.Answer);
        Assert.InRange(stored.Confidence!.Answer, 0, 1);
        Assert.Null(stored.Reason);
        var (_, sent) = await http.PredictAsync(TestImages.Jpeg());
        Assert.Equal(stored with { At = default, Seconds = 0 }, sent! with { At = default, Seconds = 0 });
    }

    [Fact]
    public async Task Further_fields_of_the_model_are_in_the_prediction()
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1", folder => ServingSettings.Save(
            folder, new TrainingSettings { AnswerTemplate = "{colour}, {weight}", NumCrops = 1, MaxAnswerTokens = 24 },
            [Answer.Of(new Dictionary<string, FieldValue> { ["colour"] = new("red"), ["weight"] = new(5) })],
            [new FieldDefinition("colour", FieldKind.Category), new FieldDefinition("weight", FieldKind.Number, "g")]));
        await http.ReadyAsync("\"v1\"");
        var (_, prediction) = await http.PredictAsync(TestImages.Jpeg());
        Assert.Equal(new FieldValue("red"), prediction!.Fields!["colour"]);
        Assert.Matches(@"^red, [0-9.]+ g$", prediction.Answer);
        Assert.Equal(double.Parse(prediction.Answer![5..^2], CultureInfo.InvariantCulture), prediction.Fields["weight"].Number);
        Assert.Equal(["colour", "weight"], prediction.Confidence!.Fields!.Keys.Order());
    }

    [Fact]
    public async Task An_answer_can_be_streamed_and_is_the_same()
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1", tokens: 24);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await StreamAsync(http, TestImages.Jpeg())).Response.StatusCode);
        await http.ReadyAsync("\"v1\"");
        var (_, atOnce) = await http.PredictAsync(TestImages.Jpeg());
        var (response, events) = await StreamAsync(http, TestImages.Jpeg());
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.True(events.Count > 3);
        Assert.All(events.SkipLast(1), item => Assert.Equal(PredictionEvents.Delta, item.EventType));
        var deltas = events.SkipLast(1).Select(item => JsonSerializer.Deserialize<AnswerDelta>(item.Data, PipelineJson.Compact)!);
        var text = string.Concat(deltas.Select(delta => delta.Text));
        Assert.Equal(atOnce!.Answer, text);
        Assert.Equal(PredictionEvents.Prediction, events[^1].EventType);
        var streamed = JsonSerializer.Deserialize<Prediction>(events[^1].Data, PipelineJson.Compact)!;
        Assert.Equal(atOnce.Confidence!.Answer, streamed.Confidence!.Answer, 1e-4);
        Assert.Equal(
            atOnce with { At = default, Seconds = 0, Confidence = null }, streamed with { At = default, Seconds = 0, Confidence = null });

        (response, events) = await StreamAsync(http, [1, 2, 3]);
        Assert.Equal((HttpStatusCode.OK, PredictionEvents.Prediction), (response.StatusCode, Assert.Single(events).EventType));
        Assert.Contains(Rejection.NotAnImage, events[0].Data, StringComparison.Ordinal);
    }

    private static async Task<(HttpResponseMessage Response, List<SseItem<string>> Events)> StreamAsync(HttpClient http, byte[] image)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/predict") { Content = new ByteArrayContent(image) };
        request.Headers.Accept.ParseAdd(PredictionEvents.MediaType);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (response, [.. SseParser.Create(await response.Content.ReadAsStreamAsync()).Enumerate()]);
    }

    [Fact]
    public async Task Storage_is_found_by_the_identity_settings_of_the_functions_host()
    {
        await using var server = PredictionServer.Create(
            new ServingOptions { Endpoint = new IPEndPoint(IPAddress.Loopback, 0), Cache = _models.Cache },
            [new("PipelineStorage:blobServiceUri", "https://account.blob.core.windows.net")]);
        Assert.Equal("account", server.Services.GetRequiredService<BlobServiceClient>().AccountName);
    }

    [Fact]
    public async Task What_cannot_be_an_image_is_rejected_with_its_reason_even_before_there_is_a_model()
    {
        using var http = await _models.StartAsync();
        var jpeg = TestImages.Jpeg();
        foreach (var (bytes, reason) in new[]
        {
            (Encoding.UTF8.GetBytes("a text file, renamed"), Rejection.NotAnImage),
            (jpeg[..(jpeg.Length / 2)], Rejection.Truncated),
            ([], Rejection.Empty),
        })
        {
            var stored = await http.PredictAsync(await _models.UploadAsync("bad.jpg", bytes));
            foreach (var (status, prediction) in new[] { stored, await http.PredictAsync(bytes) })
            {
                Assert.Equal(HttpStatusCode.OK, status);
                Assert.Equal((PredictionStatus.Rejected, reason), (prediction!.Status, prediction.Reason));
                Assert.False(string.IsNullOrEmpty(prediction.Detail));
                Assert.Null(prediction.Answer);
            }
        }
    }

    [Fact]
    public async Task An_image_that_changed_or_went_away_since_is_not_answered()
    {
        using var http = await _models.StartAsync();
        var image = await _models.UploadAsync("changing.png", TestImages.Png());
        await _models.UploadAsync("changing.png", TestImages.Jpeg());
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await http.PredictAsync(image)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await http.PredictAsync(image with { Blob = "never-there.png" })).Status);
    }

    [Fact]
    public async Task Without_a_model_the_answer_is_503_with_the_reason_until_one_is_published()
    {
        using var http = await _models.StartAsync();
        await http.ReadyAsync("No model has been published yet");
        using (var response = await http.PostAsync("/predict", new ByteArrayContent(TestImages.Png())))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 300);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
            Assert.Contains("No model has been published yet", await response.Content.ReadAsStringAsync());
        }
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync("/readyz")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/livez")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await http.PostAsync("/warm", null)).StatusCode);
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        Assert.Equal(HttpStatusCode.OK, (await http.PredictAsync(TestImages.Png())).Status);
        Assert.Equal(HttpStatusCode.OK, (await http.PostAsync("/warm", null)).StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"blob\": \"a.jpg\"}")]
    [InlineData("{\"blob\": \"a.jpg\", \"etag\": \"1\", \"more\": 1}")]
    public async Task A_body_that_is_no_request_is_a_400(string body)
    {
        using var http = await _models.StartAsync();
        using var response = await http.PostAsync("/predict", new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_body_larger_than_an_image_may_be_is_rejected()
    {
        using var http = await _models.StartAsync();
        var (_, prediction) = await http.PredictAsync(new byte[(64 << 20) + 1]);
        Assert.Equal(Rejection.TooLarge, prediction!.Reason);
    }

    [Fact]
    public async Task A_full_queue_sends_callers_away_one_after_another()
    {
        using var http = await _models.StartAsync(options => options with { Queue = 1 });
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        var open = await OpenRequest.SendAsync(http, TestImages.Png());
        var waits = new List<double>();
        for (var i = 0; i < 3; i++)
        {
            using var response = await http.PostAsync("/predict", new ByteArrayContent(TestImages.Png()));
            Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
            Assert.Contains("1 requests are in progress", await response.Content.ReadAsStringAsync());
            waits.Add(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        }
        // A second for each request is assumed before the first is answered; the test's own time may take a second off.
        Assert.InRange(waits[0], 1, 2);
        Assert.InRange(waits[2], waits[0] + 1, 4);
        open.Complete();
        Assert.Equal(HttpStatusCode.OK, (await open.Response).StatusCode);
    }

    [Fact]
    public async Task The_place_of_a_client_that_has_gone_is_free()
    {
        using var http = await _models.StartAsync(options => options with { Queue = 1 });
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        using var gone = new CancellationTokenSource();
        var open = await OpenRequest.SendAsync(http, TestImages.Png(), gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => open.Response);
        await http.UntilAsync("/metrics", text => ServerClient.QueueLength(text) == 0);
        Assert.Equal(HttpStatusCode.OK, (await http.PredictAsync(TestImages.Png())).Status);
    }

    [Fact]
    public async Task A_key_is_asked_for_by_everything_but_the_probes()
    {
        using var http = await _models.StartAsync(null, new KeyValuePair<string, string?>(PredictionServer.Key, "secret"));
        foreach (var key in new[] { null, "Bearer other", "Basic secret" })
        {
            http.DefaultRequestHeaders.Authorization = key is null ? null : AuthenticationHeaderValue.Parse(key);
            foreach (var path in new[] { "/predict", "/warm" })
                Assert.Equal(HttpStatusCode.Unauthorized, (await http.PostAsync(path, null)).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/metrics")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/livez")).StatusCode);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync("/readyz")).StatusCode);
        }
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "secret");
        Assert.Equal(HttpStatusCode.Accepted, (await http.PostAsync("/warm", null)).StatusCode);
    }

    [Fact]
    public async Task A_server_that_others_can_reach_does_not_start_without_a_key()
    {
        var error = await Assert.ThrowsAsync<CommandException>(() =>
            _models.StartAsync(options => options with { Endpoint = new IPEndPoint(IPAddress.Any, 0) }));
        Assert.Contains("Worker__Key", error.Message);
    }

    [Fact]
    public async Task Metrics_are_as_prometheus_reads_them()
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        await http.PredictAsync(TestImages.Png());
        var text = await http.UntilAsync("/metrics", page => page.Contains("/predict", StringComparison.Ordinal));
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.Matches(ExpositionLine(), line));
        Assert.Equal(0, ServerClient.QueueLength(text));
        foreach (var sample in new[]
        {
            @"^http_server_request_duration_seconds_count\{.*http_response_status_code=""200"".*http_route=""/predict"".*\} 1",
            @"^pipeline_serving_batch(_\w+)?_bucket\{.*le=""8"".*\} 1", @"^pipeline_serving_tokens(_\w+)?_total\S* [1-9]",
            @"^pipeline_serving_model\{.*version=""v1"".*\} 1", @"^pipeline_worker_time(_\w+)?_total\S* [0-9.]*[1-9]",
        })
            Assert.True(lines.Any(line => Regex.IsMatch(line, sample)), $"no {sample} in\n{text}");
    }

    [GeneratedRegex(@"^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? (\+Inf|NaN|-?[0-9.eE+-]+)( [0-9.]+)?)$")]
    private static partial Regex ExpositionLine();
}

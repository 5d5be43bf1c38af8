using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Tests;

public sealed class PredictionServerTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-").FullName;
    private readonly HttpClient _http = new();
    private WebApplication _server = null!;

    public async Task InitializeAsync()
    {
        foreach (var container in Containers.All) await azurite.Blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync();
        await new BlobRunStore(azurite.Blobs).DeleteAsync(Containers.Models, BlobNames.CurrentModel, default);
        _server = PredictionServer.Create(
            new IPEndPoint(IPAddress.Loopback, 0), _folder, torch.CPU, [new("PipelineStorage", azurite.ConnectionString)]);
        await _server.StartAsync();
        _http.BaseAddress = new Uri(_server.Urls.First());
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_image_is_answered_with_the_model_that_serves_at_the_time()
    {
        var image = await UploadAsync("shoes/1.jpg", TestImages.Jpeg());
        foreach (var version in new[] { "v1", "v2" })
        {
            await PublishAsync(version);
            var (status, prediction) = await PredictAsync(image);
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Equal(PredictionStatus.Predicted, prediction!.Status);
            Assert.Equal(version, prediction.Model);
            Assert.NotNull(prediction.Answer);
            Assert.Null(prediction.Reason);
        }
        Assert.Contains("\"v2\"", await _http.GetStringAsync("/livez"));
    }

    [Fact]
    public async Task Storage_is_found_by_the_identity_settings_of_the_functions_host()
    {
        await using var server = PredictionServer.Create(new IPEndPoint(IPAddress.Loopback, 0), _folder, torch.CPU,
            [new("PipelineStorage:blobServiceUri", "https://account.blob.core.windows.net")]);
        Assert.Equal("account", server.Services.GetRequiredService<BlobServiceClient>().AccountName);
    }

    [Fact]
    public async Task What_cannot_be_an_image_is_rejected_with_its_reason_even_before_there_is_a_model()
    {
        var jpeg = TestImages.Jpeg();
        await AssertRejectedAsync("text.jpg", Encoding.UTF8.GetBytes("a text file, renamed"), Rejection.NotAnImage);
        await AssertRejectedAsync("cut.jpg", jpeg[..(jpeg.Length / 2)], Rejection.Truncated);
        await AssertRejectedAsync("empty.jpg", [], Rejection.Empty);
    }

    [Fact]
    public async Task An_image_that_changed_or_went_away_since_is_not_answered()
    {
        await PublishAsync("v1");
        var image = await UploadAsync("changing.png", TestImages.Png());
        await UploadAsync("changing.png", TestImages.Jpeg());
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await PredictAsync(image)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await PredictAsync(image with { Blob = "never-there.png" })).Status);
    }

    [Fact]
    public async Task Without_a_model_the_answer_is_503_and_says_so()
    {
        var image = await UploadAsync("early.jpg", TestImages.Jpeg());
        using var response = await _http.PostAsJsonAsync("/predict", image, PipelineJson.Compact);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("No model has been published yet", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"blob\": \"a.jpg\"}")]
    [InlineData("{\"blob\": \"a.jpg\", \"etag\": \"1\", \"more\": 1}")]
    public async Task A_body_that_is_no_request_is_a_400(string body)
    {
        using var response = await _http.PostAsync("/predict", new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    private async Task AssertRejectedAsync(string name, byte[] bytes, string reason)
    {
        var (status, prediction) = await PredictAsync(await UploadAsync(name, bytes));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal((PredictionStatus.Rejected, reason), (prediction!.Status, prediction.Reason));
        Assert.False(string.IsNullOrEmpty(prediction.Detail));
        Assert.Null(prediction.Answer);
    }

    private async Task<PredictRequest> UploadAsync(string name, byte[] bytes)
    {
        var blob = azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(name);
        var info = await blob.UploadAsync(new BinaryData(bytes), overwrite: true);
        return new PredictRequest(name, info.Value.ETag.ToString());
    }

    private async Task<(HttpStatusCode Status, Prediction? Prediction)> PredictAsync(PredictRequest request)
    {
        using var response = await _http.PostAsJsonAsync("/predict", request, PipelineJson.Compact);
        if (!response.IsSuccessStatusCode) return (response.StatusCode, null);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<Prediction>(PipelineJson.Compact));
    }

    private async Task PublishAsync(string version)
    {
        var store = new BlobRunStore(azurite.Blobs);
        var folder = Path.Combine(_folder, "made", version);
        Assert.Equal(0, await CommandLine.RunAsync(["init", "--out", folder]));
        ServingSettings.Save(folder, new TrainingSettings { NumCrops = 1, MaxAnswerTokens = 4 });
        await ModelTransfer.UploadAsync(store, folder, version, default);
        var current = new CurrentModel
        {
            Version = version,
            Run = "r",
            ValidationLoss = 1,
            Dataset = "d",
            PublishedAt = DateTimeOffset.UnixEpoch,
        };
        var document = JsonSerializer.SerializeToUtf8Bytes(current, PipelineJson.Options);
        await store.WriteAsync(Containers.Models, BlobNames.CurrentModel, document, default);
    }

    // Several threads cost more than they bring at this size, above all on a busy machine.
    [ModuleInitializer]
    internal static void UseOneThread() => torch.set_num_threads(1);
}

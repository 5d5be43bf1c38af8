using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Tests;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

/// <summary>
/// Tests that start a server share Azurite and run one after another: OpenTelemetry takes instruments of the same name for one, so that
/// servers of one process spoil each other's <c>/metrics</c>.
/// </summary>
[CollectionDefinition(nameof(ServingCollection))]
public sealed class ServingCollection : ICollectionFixture<AzuriteFixture>;

/// <summary>A storage account with models, and servers that follow it. Models published before are forgotten.</summary>
internal sealed class ServedModels : IAsyncDisposable
{
    private readonly BlobServiceClient _blobs;
    private readonly string _connection;
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-").FullName;
    private readonly List<WebApplication> _servers = [];

    private ServedModels(BlobServiceClient blobs, string connection) => (_blobs, _connection) = (blobs, connection);

    /// <summary>Folder in which the servers cache models.</summary>
    public string Cache => Path.Combine(_folder, "cache");

    public static async Task<ServedModels> CreateAsync(BlobServiceClient blobs, string connection)
    {
        foreach (var container in Containers.All) await blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync();
        await new BlobRunStore(blobs).DeleteAsync(Containers.Models, BlobNames.CurrentModel, default);
        return new ServedModels(blobs, connection);
    }

    /// <summary>Starts a server.</summary>
    /// <param name="change">Changes its options.</param>
    /// <returns>A client of the server.</returns>
    public async Task<HttpClient> StartAsync(
        Func<ServingOptions, ServingOptions>? change = null, params KeyValuePair<string, string?>[] settings)
    {
        var options = new ServingOptions { Endpoint = new IPEndPoint(IPAddress.Loopback, 0), Cache = Cache };
        var server = PredictionServer.Create(change?.Invoke(options) ?? options, [new("PipelineStorage", _connection), .. settings]);
        _servers.Add(server);
        await server.StartAsync();
        return new HttpClient { BaseAddress = new Uri(server.Urls.First()) };
    }

    /// <summary>Publishes a small model with random weights.</summary>
    /// <param name="damage">Changes the model's folder.</param>
    /// <param name="tokens">Maximum number of tokens of an answer.</param>
    public async Task PublishAsync(string version, Action<string>? damage = null, int tokens = 4)
    {
        var folder = Path.Combine(_folder, "made", version);
        Directory.CreateDirectory(folder);
        SmallModel.Save(folder);
        ServingSettings.Save(folder, new TrainingSettings { NumCrops = 1, MaxAnswerTokens = tokens });
        damage?.Invoke(folder);
        var store = new BlobRunStore(_blobs);
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

    /// <summary>Uploads an image.</summary>
    public async Task<PredictRequest> UploadAsync(string name, byte[] bytes)
    {
        var blob = _blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(name);
        var info = await blob.UploadAsync(new BinaryData(bytes), overwrite: true);
        return new PredictRequest(name, info.Value.ETag.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.StopAsync();
            await server.DisposeAsync();
        }
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Requests to a server.</summary>
internal static partial class ServerClient
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Waits until <c>/readyz</c> answers something that contains a text.</summary>
    public static async Task<string> ReadyAsync(this HttpClient http, string expected) =>
        await http.UntilAsync("/readyz", body => body.Contains(expected, StringComparison.Ordinal));

    /// <summary>Waits until a page is as expected.</summary>
    public static async Task<string> UntilAsync(this HttpClient http, string path, Predicate<string> isExpected)
    {
        using var limit = new CancellationTokenSource(Patience);
        var body = "";
        while (!limit.IsCancellationRequested)
        {
            using var response = await http.GetAsync(path);
            body = await response.Content.ReadAsStringAsync();
            if (isExpected(body)) return body;
            await Task.Delay(20);
        }
        Assert.Fail($"{path} has not become what is expected: {body}");
        return body;
    }

    /// <summary>Reads the number of requests in progress from <c>/metrics</c>.</summary>
    public static int QueueLength(string metrics) =>
        Queue().Match(metrics) is { Success: true } match
            ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidDataException($"no queue in '{metrics}'");

    /// <summary>Asks for a prediction of an image in storage.</summary>
    public static Task<(HttpStatusCode Status, Prediction? Prediction)> PredictAsync(this HttpClient http, PredictRequest request) =>
        ReadAsync(http.PostAsJsonAsync("/predict", request, PipelineJson.Compact));

    /// <summary>Asks for a prediction of an image.</summary>
    public static Task<(HttpStatusCode Status, Prediction? Prediction)> PredictAsync(this HttpClient http, byte[] image) =>
        ReadAsync(http.PostAsync("/predict", new ByteArrayContent(image)));

    private static async Task<(HttpStatusCode Status, Prediction? Prediction)> ReadAsync(Task<HttpResponseMessage> request)
    {
        using var response = await request;
        if (!response.IsSuccessStatusCode) return (response.StatusCode, null);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<Prediction>(PipelineJson.Compact));
    }

    [GeneratedRegex(@"^pipeline_serving_queue\S* ([0-9]+)", RegexOptions.Multiline)]
    private static partial Regex Queue();
}

/// <summary>A request whose body has not arrived yet, so that it is in progress for as long as a test likes.</summary>
internal sealed class OpenRequest : HttpContent
{
    private readonly byte[] _body;
    private readonly TaskCompletionSource _complete = new();

    private OpenRequest(byte[] body) => _body = body;

    /// <summary>The response.</summary>
    public Task<HttpResponseMessage> Response { get; private set; } = null!;

    /// <summary>Sends a request and waits until the server counts it.</summary>
    /// <param name="image">Image in the body.</param>
    public static async Task<OpenRequest> SendAsync(HttpClient http, byte[] image, CancellationToken cancellationToken = default)
    {
        var content = new OpenRequest(image);
        content.Response = http.PostAsync("/predict", content, cancellationToken);
        await http.UntilAsync("/metrics", text => ServerClient.QueueLength(text) == 1);
        return content;
    }

    /// <summary>Sends the rest of the body.</summary>
    public void Complete() => _complete.SetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_body.AsMemory(0, 1), cancellationToken);
        await stream.FlushAsync(cancellationToken);
        await _complete.Task.WaitAsync(cancellationToken);
        await stream.WriteAsync(_body.AsMemory(1), cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _body.Length;
        return true;
    }
}

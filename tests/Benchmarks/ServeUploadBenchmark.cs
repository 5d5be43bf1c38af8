using System.Diagnostics;
using System.Text.Json.Nodes;
using Azure;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Chaos;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using static FunctionsPipeline.Benchmarks.Cell;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures the way of an image from its upload to its document, on the local stack.</summary>
internal sealed class ServeUploadBenchmark : IBenchmark
{
    private const int Idle = 40;
    private const int Load = 200;
    private const int Clients = 8;
    private const string Model = "bench";

    // Of ScanContainersStrategy in Microsoft.Azure.WebJobs.Extensions.Storage.Blobs 5.3.10, which cannot be set.
    private static readonly TimeSpan ScanInterval = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public string Name => "serve-uploads";

    /// <inheritdoc/>
    public string Title => "From the upload to the document";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Serve;

    /// <inheritdoc/>
    public string Description =>
        "images/s and latencies from upload to document, idle and under load, and the parts of the way (2 minutes)";

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        using var scratch = new ScratchFolder("serve-uploads");
        await using var measured = await MeasuredUploads.StartAsync(scratch.Path, Model);
        meter.Say($"measuring: {Idle} uploads, one after another");
        // The first one is for the worker's and the app's first use of everything.
        for (var i = 0; i < 2; i++) await measured.UploadAsync($"first/{i}.jpg", i);
        var idle = new List<UploadTimes>();
        var random = new Random(1);
        for (var i = 0; i < Idle; i++)
        {
            // Right after the document of the upload before, each upload would wait for a full interval of the container's scan.
            await Task.Delay(random.NextDouble() * ScanInterval);
            idle.Add(await measured.UploadAsync($"idle/{i}.jpg", i));
        }
        meter.Say($"measuring: {Load} images, sent to the worker");
        var alone = await measured.SendAsync(Load, Clients);
        meter.Say($"measuring: {Load} uploads, {Clients} at a time");
        var (load, loadSeconds) = await measured.UploadAllAsync(Load, Clients);
        return new Section(
            "The complete local stack on an Azurite that keeps everything in files, the tiny preset with random weights, drawn " +
            $"pictures of 400 to 600 pixels. Idle: {Idle} uploads at random times, one after another. Trigger: from the end of the " +
            "upload to the start of the orchestration, mostly the wait for the next scan of the container, every " +
            $"{ScanInterval.TotalSeconds:0} s. Orchestration and HTTP: from there until the worker has the request; HTTP alone is what " +
            "a client's request takes beyond the worker's own time. Document: from the worker's answer until a client reads the " +
            $"document, asking every {MeasuredUploads.PollInterval.TotalMilliseconds:0} ms. Under load: {Load} uploads by {Clients} " +
            $"clients, from the end of an upload to the worker's answer; beside {Load} images that {Clients} clients send to the " +
            "worker themselves.",
            IdleTable(idle, alone.Overheads), LoadTable(alone, load, loadSeconds));
    }

    private static Table IdleTable(List<UploadTimes> uploads, IReadOnlyList<double> overheads)
    {
        var table = new Table("idle", "p50 ms", "p95 ms", "p99 ms");
        void Add(string part, IEnumerable<double> seconds) => table.Add([part, .. Percentiles(seconds)]);
        Add("upload to document", uploads.Select(upload => upload.Total));
        Add("trigger", uploads.Select(upload => upload.Trigger));
        Add("orchestration and HTTP", uploads.Select(upload => upload.Orchestration));
        Add("worker", uploads.Select(upload => upload.Worker));
        Add("document", uploads.Select(upload => upload.Document));
        Add("HTTP alone", overheads);
        return table;
    }

    private static Table LoadTable(WorkerAlone alone, IReadOnlyList<double> latencies, double seconds)
    {
        var table = new Table("under load", "images/s", "× worker alone", "p50 ms", "p95 ms", "p99 ms");
        var (bare, whole) = (Load / alone.Seconds, Load / seconds);
        table.Add(["worker alone", Number(bare), Times(1, 1), .. Percentiles(alone.Latencies)]);
        table.Add(["upload to answer", Number(whole), Times(whole, bare), .. Percentiles(latencies)]);
        return table;
    }

    private static IEnumerable<string> Percentiles(IEnumerable<double> seconds)
    {
        var timing = new Timing([.. seconds.Select(value => 1000 * value)]);
        return new[] { 0.5, 0.95, 0.99 }.Select(share => Number(timing.Percentile(share)));
    }
}

/// <summary>Seconds of the parts of the way of one image.</summary>
/// <param name="Total">From the end of the upload until a client has read the document.</param>
/// <param name="Trigger">From the end of the upload to the start of the orchestration.</param>
/// <param name="Orchestration">From there until the worker has the request.</param>
/// <param name="Worker">The worker's own time.</param>
/// <param name="Document">From the worker's answer until a client has read the document.</param>
internal sealed record UploadTimes(double Total, double Trigger, double Orchestration, double Worker, double Document);

/// <summary>Measurement of images that clients send to the worker themselves.</summary>
/// <param name="Seconds">Seconds for all of them.</param>
/// <param name="Latencies">Seconds of each, under load.</param>
/// <param name="Overheads">Seconds of each request beyond the worker's own time, without load.</param>
internal sealed record WorkerAlone(double Seconds, IReadOnlyList<double> Latencies, IReadOnlyList<double> Overheads);

/// <summary>A local stack with a model, as its users see it.</summary>
internal sealed class MeasuredUploads : IAsyncDisposable
{
    private const int Pictures = 24;
    private const int OverheadRequests = 20;

    private readonly LocalStack _stack;
    private readonly HttpClient _http;
    private readonly BlobServiceClient _blobs;
    private readonly PipelineClient _client;
    private readonly IReadOnlyList<byte[]> _pictures;

    private MeasuredUploads(LocalStack stack)
    {
        _stack = stack;
        _http = new HttpClient { BaseAddress = stack.Host };
        _blobs = new BlobServiceClient(stack.Storage, new BlobClientOptions { Transport = new HttpClientTransport(_http) });
        _client = new PipelineClient(_http, _blobs);
        var folder = stack.Options.HeldOutFolder;
        _pictures = [.. HeldOutImage.Load(folder).Select(image => File.ReadAllBytes(Path.Combine(folder, image.File)))];
    }

    /// <summary>Pause between two questions for a document.</summary>
    public static TimeSpan PollInterval { get; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Starts a stack with a tiny model of random weights.</summary>
    /// <exception cref="NotMeasuredException">Azurite is not here.</exception>
    public static async Task<MeasuredUploads> StartAsync(string folder, string model)
    {
        LocalStack stack;
        try
        {
            stack = await LocalStack.StartAsync(
                new LocalStackOptions { StateFolder = folder, Rows = 100, HoldBack = Pictures }, _ => { }, CancellationToken.None);
        }
        catch (FileNotFoundException e)
        {
            throw new NotMeasuredException(e.Message);
        }
        var measured = new MeasuredUploads(stack);
        var models = new RandomModels(stack, measured._blobs);
        await models.CreateAsync(model, seed: 1, CancellationToken.None);
        await models.ActivateAsync(model, CancellationToken.None);
        await stack.WaitUntilServedAsync(model, CancellationToken.None);
        return measured;
    }

    /// <summary>Uploads an image and waits for its document.</summary>
    public async Task<UploadTimes> UploadAsync(string name, int picture)
    {
        await _client.UploadAsync(name, new MemoryStream(Picture(picture)), CancellationToken.None);
        var uploaded = DateTimeOffset.UtcNow;
        var blob = _blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient(BlobNames.Prediction(name));
        PredictionDocument? document = null;
        while (document is null)
        {
            try
            {
                document = (await blob.DownloadContentAsync()).Value.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options);
            }
            catch (RequestFailedException missing) when (missing.Status == 404)
            {
                await Task.Delay(PollInterval);
            }
        }
        var read = DateTimeOffset.UtcNow;
        var started = await StartOfReadingAsync(name);
        var asked = document.At - TimeSpan.FromSeconds(document.Seconds);
        return new UploadTimes(
            (read - uploaded).TotalSeconds, (started - uploaded).TotalSeconds, (asked - started).TotalSeconds, document.Seconds,
            (read - document.At).TotalSeconds);
    }

    /// <summary>Uploads images and waits for all documents.</summary>
    /// <returns>Seconds from the end of each upload to its answer, and from the first upload to the last answer.</returns>
    public async Task<(IReadOnlyList<double> Latencies, double Seconds)> UploadAllAsync(int count, int clients)
    {
        var started = DateTimeOffset.UtcNow;
        var uploaded = new Dictionary<string, (ETag Version, DateTimeOffset At)>();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = clients }, async (i, stop) =>
        {
            var name = $"load/{i}.jpg";
            var version = await _client.UploadAsync(name, new MemoryStream(Picture(i)), stop);
            lock (uploaded) uploaded[name] = (version, DateTimeOffset.UtcNow);
        });
        var answered = new Dictionary<string, DateTimeOffset>();
        var versions = uploaded.ToDictionary(image => image.Key, image => image.Value.Version);
        await foreach (var document in _client.FollowPredictionsAsync(versions, CancellationToken.None))
            answered[document.Image] = document.At;
        return (
            [.. answered.Select(image => (image.Value - uploaded[image.Key].At).TotalSeconds)],
            (answered.Values.Max() - started).TotalSeconds);
    }

    /// <summary>Sends images to the worker itself.</summary>
    public async Task<WorkerAlone> SendAsync(int count, int clients)
    {
        var overheads = new List<double>();
        for (var i = 0; i < OverheadRequests; i++)
        {
            var (seconds, worker) = await SendAsync(i);
            overheads.Add(seconds - worker);
        }
        var latencies = new double[count];
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = clients }, async (i, _) =>
            latencies[i] = (await SendAsync(i)).Seconds);
        return new WorkerAlone(Stopwatch.GetElapsedTime(started).TotalSeconds, latencies, overheads);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _stack.DisposeAsync();
    }

    private byte[] Picture(int i) => _pictures[i % _pictures.Count];

    private async Task<(double Seconds, double Worker)> SendAsync(int picture)
    {
        var started = Stopwatch.GetTimestamp();
        using var response = await _http.PostAsync(new Uri(_stack.Worker, "predict"), new ByteArrayContent(Picture(picture)));
        response.EnsureSuccessStatusCode();
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        return (Stopwatch.GetElapsedTime(started).TotalSeconds, answer["seconds"]!.GetValue<double>());
    }

    private async Task<DateTimeOffset> StartOfReadingAsync(string image)
    {
        const string Instances = "runtime/webhooks/durabletask/instances";
        var all = (await ReadAsync($"{Instances}?instanceIdPrefix=image.&showInput=true&top=1000")).AsArray();
        var instance = all.First(one => one!["input"]?["image"]?.GetValue<string>() == image)!;
        var history = (await ReadAsync($"{Instances}/{instance["instanceId"]}?showHistory=true"))["historyEvents"]!.AsArray();
        var start = history.First(one => one!["EventType"]!.GetValue<string>() == "ExecutionStarted")!;
        return start["Timestamp"]!.GetValue<DateTimeOffset>();
    }

    private async Task<JsonNode> ReadAsync(string path) => JsonNode.Parse(await _http.GetStringAsync(path))!;
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.GpuWorker;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using SixLabors.ImageSharp;
using static FunctionsPipeline.Benchmarks.Cell;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures the serving worker with and without batches, beside calling the model in a loop.</summary>
internal sealed class ServeBenchmark : IBenchmark
{
    private const int Threads = 2;
    private const int Images = 32;
    private const int Clients = 16;
    private static readonly int[] Batches = [1, 2, 4, 8, 16];

    /// <inheritdoc/>
    public string Name => "serve-worker";

    /// <inheritdoc/>
    public string Title => "The serving worker";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Serve;

    /// <inheritdoc/>
    public string Description => "images/s and latencies of the serving worker, idle and under load, with and without batches (2 minutes)";

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        using var threads = new TorchThreads(Threads);
        using var scratch = new ScratchFolder("serve");
        var folder = Path.Combine(scratch.Path, "model");
        TinyServedModel.Save(folder);
        var images = Enumerable.Range(0, Images).Select(TinyServedModel.Photo).ToArray();
        using var predictor = new Predictor(folder, CPU, ScalarType.Float32);
        var tokens = images.Average(image => Answer(image).Generated.Tokens.Count);

        await using var storage = await AzuriteProcess.StartAsync(scratch.Path);
        await TinyServedModel.PublishAsync(storage, folder);
        var servers = new List<MeasuredWorker>();
        try
        {
            foreach (var batch in Batches) servers.Add(await MeasuredWorker.StartAsync(scratch.Path, storage, batch, Threads));
            var loaded = meter.Measure(
                $"{Images} images",
                [() => Meter.Time(() => Loop(images)), .. servers.Select(server => (Func<double>)(() => server.Send(images, Clients)))]);
            var latencies = servers.Select(server => new Timing(server.TakeLatencies())).ToArray();
            var idle = meter.Measure(
                "one image at a time",
                [
                    () => Meter.Time(() => Loop(images[..1])),
                    .. servers.Select(server => (Func<double>)(() => server.Send(images[..1], 1))),
                ]);
            return new Section(
                $"The tiny preset with random weights, float32, {Threads} threads, photographs of 640×480 pixels as JPEG (one crop), " +
                $"answers of {Number(tokens)} tokens. The loop decodes and answers one image after another in the benchmark's " +
                $"process. The servers are processes of their own, to which {Clients} clients at a time send images in bodies of " +
                $"requests; all take turns with {Images} images each. Idle: one client, an image at a time. Latencies are those of " +
                "clients.",
                LoadTable(loaded, latencies), IdleTable(idle));
        }
        finally
        {
            foreach (var server in servers) await server.DisposeAsync();
        }

        void Loop(IEnumerable<byte[]> some)
        {
            foreach (var image in some) Answer(image);
        }

        PredictedAnswer Answer(byte[] image) => predictor.Answer([predictor.Prepare(image)], CancellationToken.None)[0];
    }

    private static Table LoadTable(Timing[] rounds, Timing[] latencies)
    {
        var table = new Table("under load", "images/s", "× loop", "× --batch 1", "p50 ms", "p95 ms", "p99 ms");
        var rates = rounds.Select(round => 1000 * Images / round.Median).ToArray();
        table.Add("model in a loop", Number(rates[0]), Times(1, 1), Times(rates[0], rates[1]), "", "", "");
        for (var i = 0; i < Batches.Length; i++)
        {
            table.Add([
                $"--batch {Batches[i]}", Number(rates[i + 1]), Times(rates[i + 1], rates[0]), Times(rates[i + 1], rates[1]),
                .. Percentiles(latencies[i]),
            ]);
        }
        return table;
    }

    private static Table IdleTable(Timing[] rounds)
    {
        var table = new Table("idle", "p50 ms", "p95 ms", "p99 ms", "× loop");
        for (var i = 0; i < rounds.Length; i++)
        {
            var name = i == 0 ? "model in a loop" : $"--batch {Batches[i - 1]}";
            table.Add([name, .. Percentiles(rounds[i]), Times(rounds[i].Median, rounds[0].Median)]);
        }
        return table;
    }

    private static IEnumerable<string> Percentiles(Timing timing) =>
        new[] { 0.5, 0.95, 0.99 }.Select(share => Number(timing.Percentile(share)));
}

/// <summary>The tiny preset with random weights, as a model that serves.</summary>
internal static class TinyServedModel
{
    private const int Vocabulary = 512;
    private const string Version = "tiny";

    private static readonly Answer[] Answers =
        [new("Striped Wool Coat", "COATS", 1890), new("Dotted Silk Dress", "DRESSES", 1250.5), new("Leather Boots", "SHOES", 790)];

    /// <summary>Writes the model.</summary>
    public static void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var settings = new TrainingSettings { NumCrops = 1, MaxAnswerTokens = 32 };
        var tokenizer = Tokenizer.Parse(
            TokenizerTrainer.Train([settings.Question, .. Answers.Select(answer => answer.ToString())], Vocabulary));
        var config = Presets.Tiny(Vocabulary) with { PadTokenId = tokenizer.Id(SpecialTokens.EndOfText) };
        using var model = new Phi3VisionModel(config);
        Initializer.Initialize(model, seed: 1);
        ModelFolder.Save(folder, model, config, tokenizer);
        ServingSettings.Save(folder, settings);
    }

    /// <summary>Makes the model in a folder the one that serves.</summary>
    public static async Task PublishAsync(AzuriteProcess storage, string folder)
    {
        var blobs = new BlobServiceClient(storage.ConnectionString);
        foreach (var container in Containers.All) await blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync();
        var store = new BlobRunStore(blobs);
        await ModelTransfer.UploadAsync(store, folder, Version, CancellationToken.None);
        var current = new CurrentModel
        {
            Version = Version,
            Run = "none",
            ValidationLoss = 1,
            Dataset = "none",
            PublishedAt = DateTimeOffset.UnixEpoch,
        };
        await store.WriteAsync(
            Containers.Models, BlobNames.CurrentModel, JsonSerializer.SerializeToUtf8Bytes(current, PipelineJson.Options),
            CancellationToken.None);
    }

    /// <summary>Draws a photograph to send.</summary>
    public static byte[] Photo(int seed)
    {
        using var picture = Photograph.Draw(640, 480, seed);
        using var jpeg = new MemoryStream();
        picture.SaveAsJpeg(jpeg);
        return jpeg.ToArray();
    }
}

/// <summary>A serving worker as a process of its own, as its users see it.</summary>
internal sealed class MeasuredWorker : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(1);

    private readonly ChildProcess _process;
    private readonly HttpClient _http;
    private readonly ConcurrentQueue<double> _latencies = [];

    private MeasuredWorker(ChildProcess process, HttpClient http) => (_process, _http) = (process, http);

    /// <summary>Starts the process and returns when a model serves.</summary>
    public static async Task<MeasuredWorker> StartAsync(string folder, AzuriteProcess storage, int batch, int threads)
    {
        var port = FreePort.Next();
        string[] command =
        [
            .. Applications.GpuWorker, "serve", "--port", $"{port}", "--batch", $"{batch}", "--threads", $"{threads}",
            "--cache", Path.Combine(folder, $"cache-{batch}"),
        ];
        var process = ChildProcess.Start(
            $"worker-{batch}", folder, command, new Dictionary<string, string?> { ["PipelineStorage"] = storage.ConnectionString });
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        await process.WaitUntilAsync(
            async stop => await FreePort.AnswersAsync(port, stop) && (await http.GetAsync("readyz", stop)).IsSuccessStatusCode,
            StartLimit, CancellationToken.None);
        return new MeasuredWorker(process, http);
    }

    /// <summary>Sends images, each client one after another.</summary>
    /// <returns>Milliseconds until all were answered.</returns>
    public double Send(byte[][] images, int clients) => Meter.Time(() => Parallel.ForEachAsync(
        images, new ParallelOptions { MaxDegreeOfParallelism = clients },
        async (image, stop) =>
        {
            var started = Stopwatch.GetTimestamp();
            using var response = await _http.PostAsync("predict", new ByteArrayContent(image), stop);
            response.EnsureSuccessStatusCode();
            _latencies.Enqueue(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }).GetAwaiter().GetResult());

    /// <summary>Returns the milliseconds that each answer took since the last call.</summary>
    public IReadOnlyList<double> TakeLatencies()
    {
        double[] taken = [.. _latencies];
        _latencies.Clear();
        return taken;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }
}

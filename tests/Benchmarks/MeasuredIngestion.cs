using System.Diagnostics;
using System.Runtime;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Images;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A complete ingestion in a process of its own, in which nothing else has been or is done.</summary>
internal static class MeasuredIngestion
{
    private static readonly TimeSpan HeapInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Starts the process and waits for its figures.</summary>
    public static async Task<IngestionFigures> StartAsync(IngestionTask task) => JsonSerializer.Deserialize<IngestionFigures>(
        await ChildProcess.RunAsync("ingestion", [.. BenchmarkCommand.LikeTheApp, BenchmarkCommand.Ingest, JsonSerializer.Serialize(task)],
            CancellationToken.None))!;

    /// <summary>Ingests in this process, and prints the figures.</summary>
    public static async Task RunAsync(string task) =>
        Console.WriteLine(JsonSerializer.Serialize(await RunAsync(JsonSerializer.Deserialize<IngestionTask>(task)!)));

    private static async Task<IngestionFigures> RunAsync(IngestionTask task)
    {
        // As the app does.
        GCSettings.LatencyMode = GCLatencyMode.Batch;
        var requests = new RequestCount();
        var clientOptions = new BlobClientOptions();
        clientOptions.AddPolicy(requests, HttpPipelinePosition.PerCall);
        var blobs = new BlobServiceClient(task.Storage, clientOptions);
        await blobs.GetBlobContainerClient(Containers.Datasets).CreateIfNotExistsAsync();
        var hub = new HubClient(HubClient.CreateHttpClient(), new HubOptions { Endpoint = task.Hub });
        using var ingestion = new DatasetIngestion(hub, blobs, new IngestionOptions { AllowedHosts = [task.Hub.Authority] });
        await IngestAsync(ingestion, task.WarmUp);

        // Before and after, so that whatever else the machine does meets both about alike.
        var before = DecodeAlone(task);
        requests.Sent = 0;
        long heap = 0;
        await using var timer =
            new Timer(_ => heap = Math.Max(heap, GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes), null, HeapInterval, HeapInterval);
        var (report, units, catalog, shards) = await IngestAsync(ingestion, task.Dataset);
        if (report.Counts.Stored != task.Dataset.Rows)
        {
            throw new InvalidOperationException(
                $"{report.Counts.Stored} of {task.Dataset.Rows} rows are stored: {JsonSerializer.Serialize(report.Counts)}");
        }
        var after = DecodeAlone(task);
        using var process = Process.GetCurrentProcess();
        return new IngestionFigures(Mean(before, after), units, catalog, shards, report.Counts.Stored, report.Counts.Bytes, requests.Sent,
            process.PeakWorkingSet64, heap);
    }

    private static async Task<(IngestReport Report, TimeSpent Units, TimeSpent Catalog, TimeSpent Shards)> IngestAsync(
        DatasetIngestion ingestion, BenchmarkDataset which)
    {
        ResolvedDataset dataset = null!;
        var units = await SpendAsync(async () =>
        {
            dataset = await ingestion.ResolveAsync(which.Request);
            for (var file = 0; file < dataset.Files; file++) await ingestion.FetchFileAsync(dataset.Blobs, file);
            await ForEachAsync(dataset.Units, dataset.UnitsAtOnce, unit => ingestion.IngestUnitAsync(dataset.Blobs, unit));
        });
        var catalog = await SpendAsync(() => ingestion.WriteCatalogAsync(dataset.Blobs));
        IngestReport report = null!;
        var shards = await SpendAsync(async () =>
        {
            await ForEachAsync(dataset.Shards, dataset.UnitsAtOnce, shard => ingestion.PreprocessAsync(dataset.Blobs, shard));
            report = await ingestion.WriteReportAsync(dataset.Blobs, units.Seconds + catalog.Seconds);
        });
        return (report, units, catalog, shards);
    }

    private static TimeSpent? DecodeAlone(IngestionTask task)
    {
        if (task.Decoded == 0) return null;
        var pictures = DistinctImages.Open(Path.Combine(task.Folder, BenchmarkHub.Pictures));
        var files = Enumerable.Range(0, task.Decoded).Select(number => pictures[number]).ToList();
        // Not awaited: nothing else runs in this process meanwhile.
        var (started, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        foreach (var file in files)
        {
            ImageReader.Read(file).Dispose();
            SHA256.HashData(file);
        }
        return Since(started, cpu, per: files.Count);
    }

    private static TimeSpent? Mean(TimeSpent? a, TimeSpent? b) =>
        a is null || b is null ? null : new TimeSpent((a.Seconds + b.Seconds) / 2, (a.CpuSeconds + b.CpuSeconds) / 2);

    private static async Task<TimeSpent> SpendAsync(Func<Task> work)
    {
        var (started, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        await work();
        return Since(started, cpu, per: 1);
    }

    private static TimeSpent Since(long started, TimeSpan cpu, int per) =>
        new(Stopwatch.GetElapsedTime(started).TotalSeconds / per, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds / per);

    private static Task ForEachAsync(int count, int atOnce, Func<int, Task> work) =>
        Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (i, _) => await work(i));

    private sealed class RequestCount : HttpPipelineSynchronousPolicy
    {
        private long _sent;

        public long Sent
        {
            get => Interlocked.Read(ref _sent);
            set => Interlocked.Exchange(ref _sent, value);
        }

        public override void OnSendingRequest(HttpMessage message) => Interlocked.Increment(ref _sent);
    }
}

/// <summary>Task of a measured ingestion: source, target and datasets.</summary>
/// <param name="WarmUp">A small dataset that is ingested before, and not counted.</param>
/// <param name="Decoded">Pictures that are decoded and hashed alone, before and again after; 0 for none.</param>
internal sealed record IngestionTask(Uri Hub, string Storage, string Folder, BenchmarkDataset WarmUp, BenchmarkDataset Dataset,
    int Decoded);

/// <summary>Wall-clock and processor time of a stage of the work.</summary>
internal sealed record TimeSpent(double Seconds, double CpuSeconds);

/// <summary>Figures of an ingestion.</summary>
/// <param name="Alone">Decoding and hashing one picture on one thread.</param>
/// <param name="Units">Reading rows, fetching, checking and storing images.</param>
/// <param name="Catalog">The catalog.</param>
/// <param name="Shards">The training shards and the report.</param>
/// <param name="Images">Images stored.</param>
/// <param name="Bytes">Bytes of these images.</param>
/// <param name="Requests">Requests to blob storage.</param>
/// <param name="PeakBytes">The most resident memory that the process has had.</param>
/// <param name="HeapBytes">The largest managed heap after a collection.</param>
internal sealed record IngestionFigures(
    TimeSpent? Alone, TimeSpent Units, TimeSpent Catalog, TimeSpent Shards,
    long Images, long Bytes, long Requests, long PeakBytes, long HeapBytes)
{
    public double Seconds => Units.Seconds + Catalog.Seconds + Shards.Seconds;

    public double CpuSeconds => Units.CpuSeconds + Catalog.CpuSeconds + Shards.CpuSeconds;
}

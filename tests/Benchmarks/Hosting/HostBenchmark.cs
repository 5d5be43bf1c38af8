using System.Diagnostics;
using static FunctionsPipeline.Benchmarks.Cell;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The local host with its own settings, and with those of Azure, on Azurite.</summary>
internal sealed class HostBenchmark : IBenchmark
{
    private const int Starts = 3;
    private const int Orchestrations = 20;
    private const int Activities = 1000;
    private const int AtOnce = 16;
    private const int Steps = 200;
    private const int Instances = 200;
    private const int Clients = 8;
    private const int Uploads = 10;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(10);

    // What the Durable Task extension does when neither host.json nor a host says anything.
    private static readonly Dictionary<string, string?> Azure = new()
    {
        ["storageProvider__partitionCount"] = "4",
        ["storageProvider__maxQueuePollingInterval"] = "00:00:30",
        ["storageProvider__workItemQueueVisibilityTimeout"] = "00:05:00",
        ["storageProvider__controlQueueVisibilityTimeout"] = "00:05:00",
        ["storageProvider__useTablePartitionManagement"] = "false",
        ["extendedSessionsEnabled"] = "false",
        ["useAppLease"] = "true",
    };

    /// <inheritdoc/>
    public string Name => "host";

    /// <inheritdoc/>
    public string Title => "The local host";

    /// <inheritdoc/>
    public BenchmarkReport Report => BenchmarkReport.Host;

    /// <inheritdoc/>
    public string Description =>
        "start, orchestrations, activities, uploads, memory and idle time of the Functions host on Azurite (3 minutes)";

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        var local = await MeasureAsync(meter, "the host's own settings", []);
        var azure = await MeasureAsync(meter, "Azure's settings", Azure);
        var table = new Table("", "unit", "own settings", "Azure's settings", "own / Azure's");
        foreach (var (figure, other) in local.Zip(azure))
            table.Add(figure.What, figure.Unit, Number(figure.Value), Number(other.Value), Times(figure.Value, other.Value));
        return new Section(
            "A tiny app (tests/TinyApp) in a host process of its own on a new Azurite, which keeps everything in files, over HTTP as a user " +
            "would: once with the settings that the host has for Azurite, once with those that the Durable Task extension has for Azure. Times of " +
            "orchestrations are from the request that starts one until its status says Completed, asked every " +
            $"{MeasuredHost.PollInterval.TotalMilliseconds:0} ms. Activities do nothing. Uploads are scanned for, until the function has " +
            $"written a blob. Medians of {Starts} starts, {Orchestrations} orchestrations and {Uploads} uploads. Memory is what is resident " +
            $"after all this; idle time is of {Idle.TotalSeconds:0} s after it, in percent of one core.",
            table);
    }

    private static async Task<List<(string What, string Unit, double Value)>> MeasureAsync(
        Meter meter, string settings, Dictionary<string, string?> durable)
    {
        using var scratch = new ScratchFolder("host");
        await using var storage = await BlobService.StartAsync(scratch.Path, inMemory: false);
        void Say(string what) => meter.Say($"measuring: {what}, {settings}");

        Say("start");
        var starts = new List<double>();
        for (var i = 1; i < Starts; i++)
        {
            await using var started = await MeasuredHost.StartAsync(scratch.Path, storage, durable);
            starts.Add(started.StartSeconds);
        }
        await using var host = await MeasuredHost.StartAsync(scratch.Path, storage, durable);
        starts.Add(host.StartSeconds);

        Say("orchestrations");
        var first = await host.RunAsync("Hello", "first");
        var trivial = new List<double>();
        for (var i = 0; i < Orchestrations; i++) trivial.Add(await host.RunAsync("Hello", "again"));
        Say($"{Activities} activities");
        var fannedOut = await host.RunAsync("FanOut", new { Activities, Milliseconds = 0 });
        var bounded = await host.RunAsync("FanOut", new { Activities, Milliseconds = 0, AtOnce });
        var sequential = await host.RunAsync("Steps", new { Activities = Steps, Milliseconds = 0 });
        Say($"{Instances} instances");
        var startedInstances = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Instances), new ParallelOptions { MaxDegreeOfParallelism = Clients },
            async (i, _) => await host.RunAsync("Hello", $"{i}"));
        var instances = Stopwatch.GetElapsedTime(startedInstances).TotalSeconds;
        Say("uploads");
        var uploads = new List<double>();
        for (var i = 0; i < Uploads; i++) uploads.Add(await host.UploadAsync($"{i}"));
        Say("idle time");
        var (hostMemory, workerMemory) = await host.ReadMemoryAsync();
        var (hostTime, workerTime) = await host.ReadIdleTimeAsync(Idle);
        return
        [
            ("start to ready", "s", Median(starts)),
            ("first orchestration of a process", "s", first),
            ("trivial orchestration", "ms", 1000 * Median(trivial)),
            ($"{Activities:N0} activities, fanned out", "activities/s", Activities / fannedOut),
            ($"{Activities:N0} activities, {AtOnce} at once", "activities/s", Activities / bounded),
            ($"{Steps} activities, one after another", "activities/s", Steps / sequential),
            ($"{Instances} instances, started by {Clients} clients", "instances/s", Instances / instances),
            ("upload to function", "s", Median(uploads)),
            ("memory of the host", "MB", hostMemory),
            ("memory of the worker", "MB", workerMemory),
            ("idle host", "% of a core", 100 * hostTime),
            ("idle worker", "% of a core", 100 * workerTime),
        ];
    }

    private static double Median(List<double> seconds) => new Timing(seconds).Median;
}

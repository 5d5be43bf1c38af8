using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Processes;
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
    public ReportFile Report => ReportFile.Host;

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
            "A tiny app (tests/TinyApp) in a host process of its own on a new Azurite, which keeps everything in files, over HTTP as " +
            "a user would: once with the settings that the host has for Azurite, once with those that the Durable Task extension has " +
            "for Azure. Times of orchestrations are from the request that starts one until its status says Completed, asked every " +
            $"{MeasuredHost.PollInterval.TotalMilliseconds:0} ms. Activities do nothing. Uploads are scanned for, until the function has " +
            $"written a blob. Medians of {Starts} starts, {Orchestrations} orchestrations and {Uploads} uploads. Memory is what is " +
            $"resident after all this; idle time is of {Idle.TotalSeconds:0} s after it, in percent of one core.",
            table);
    }

    private static async Task<List<(string What, string Unit, double Value)>> MeasureAsync(
        Meter meter, string settings, Dictionary<string, string?> durable)
    {
        using var scratch = new ScratchFolder("host");
        await using var storage = await AzuriteProcess.StartAsync(scratch.Path, inMemory: false);
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

/// <summary>A host process with the tiny app, as its users see it.</summary>
internal sealed class MeasuredHost : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _http;
    private readonly BlobServiceClient _blobs;

    private MeasuredHost(ChildProcess process, Uri address, AzuriteProcess storage, double startSeconds)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = address };
        _blobs = new BlobServiceClient(storage.ConnectionString);
        StartSeconds = startSeconds;
    }

    /// <summary>Pause between two questions whether something is done.</summary>
    public static TimeSpan PollInterval { get; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Seconds from the start of the process until its functions ran.</summary>
    public double StartSeconds { get; }

    /// <param name="durable">Settings of the Durable Task extension, with <c>__</c> between their parts.</param>
    public static async Task<MeasuredHost> StartAsync(
        string logFolder, AzuriteProcess storage, IReadOnlyDictionary<string, string?> durable)
    {
        var port = FreePort.Next();
        var environment = durable.ToDictionary(
            setting => $"AzureFunctionsJobHost__extensions__durableTask__{setting.Key}", setting => setting.Value);
        environment["AzureWebJobsStorage"] = storage.ConnectionString;
        var started = Stopwatch.GetTimestamp();
        string[] command = [.. Applications.LocalHost, "run", Applications.Output("tests/TinyApp"), "--port", $"{port}"];
        var process = ChildProcess.Start("host", logFolder, command, environment);
        var address = new Uri($"http://127.0.0.1:{port}/");
        using var http = new HttpClient { BaseAddress = address };
        await process.WaitUntilAsync(
            async stop => await FreePort.AnswersAsync(port, stop) && (await http.GetAsync("tiny/greet/ready", stop)).IsSuccessStatusCode,
            TimeSpan.FromMinutes(1), CancellationToken.None);
        return new MeasuredHost(process, address, storage, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>Runs an orchestration.</summary>
    /// <returns>Seconds until it has completed.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task<double> RunAsync(string orchestrator, object input)
    {
        var started = Stopwatch.GetTimestamp();
        using var response = await _http.PostAsJsonAsync($"tiny/orchestrations/{orchestrator}", input);
        response.EnsureSuccessStatusCode();
        var status = (await response.Content.ReadFromJsonAsync<JsonNode>())!["statusQueryGetUri"]!.GetValue<string>();
        while (true)
        {
            var now = JsonNode.Parse(await _http.GetStringAsync(new Uri(status)))!;
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            switch (now["runtimeStatus"]!.GetValue<string>())
            {
                case "Completed": return seconds;
                case "Failed": throw new InvalidOperationException($"{orchestrator} failed: {now["output"]}");
                default: await Task.Delay(PollInterval); break;
            }
        }
    }

    /// <summary>Uploads a blob.</summary>
    /// <returns>Seconds until the function that it starts has written another one.</returns>
    public async Task<double> UploadAsync(string name)
    {
        var uploads = _blobs.GetBlobContainerClient("tiny-uploads");
        await uploads.CreateIfNotExistsAsync();
        var started = Stopwatch.GetTimestamp();
        await uploads.GetBlobClient($"bench/{name}").UploadAsync(BinaryData.FromString("text"), overwrite: true);
        var note = _blobs.GetBlobContainerClient("tiny-notes").GetBlobClient($"blobs/bench/{name}");
        while (!await note.ExistsAsync()) await Task.Delay(PollInterval);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <returns>Resident memory in MB.</returns>
    public async Task<(double Host, double Worker)> ReadMemoryAsync()
    {
        using var host = Process.GetProcessById(_process.Id);
        using var worker = Process.GetProcessById(await WorkerIdAsync());
        return (host.WorkingSet64 / 1e6, worker.WorkingSet64 / 1e6);
    }

    /// <returns>Processor time in cores.</returns>
    public async Task<(double Host, double Worker)> ReadIdleTimeAsync(TimeSpan time)
    {
        using var host = Process.GetProcessById(_process.Id);
        using var worker = Process.GetProcessById(await WorkerIdAsync());
        var (hostBefore, workerBefore) = (host.TotalProcessorTime, worker.TotalProcessorTime);
        await Task.Delay(time);
        host.Refresh();
        worker.Refresh();
        return ((host.TotalProcessorTime - hostBefore) / time, (worker.TotalProcessorTime - workerBefore) / time);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }

    private async Task<int> WorkerIdAsync() => int.Parse(await _http.GetStringAsync("tiny/ProcessId"), CultureInfo.InvariantCulture);
}

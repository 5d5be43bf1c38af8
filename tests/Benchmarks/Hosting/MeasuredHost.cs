using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A host process with the tiny app, as its users see it.</summary>
internal sealed class MeasuredHost : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _http;
    private readonly BlobServiceClient _blobs;

    private MeasuredHost(ChildProcess process, Uri address, BlobService storage, double startSeconds)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = address };
        _blobs = new BlobServiceClient(storage.ConnectionString);
        StartSeconds = startSeconds;
    }

    /// <summary>How often is asked whether something is done.</summary>
    public static TimeSpan PollInterval { get; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Seconds from the start of the process until its functions ran.</summary>
    public double StartSeconds { get; }

    /// <param name="durable">Settings of the Durable Task extension, with <c>__</c> between their parts.</param>
    public static async Task<MeasuredHost> StartAsync(string logFolder, BlobService storage, IReadOnlyDictionary<string, string?> durable)
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

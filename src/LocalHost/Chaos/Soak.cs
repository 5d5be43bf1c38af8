using System.Diagnostics;
using System.Globalization;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Uploads images steadily and measures memory and latency, which must not grow.</summary>
internal sealed class Soak(LocalStack stack, BlobServiceClient blobs, HttpClient http, ProgressScreen screen)
{
    private const string Model = "soak";
    private static readonly TimeSpan UploadInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DocumentLimit = TimeSpan.FromMinutes(2);

    // What a process may take more at the end than after its warm-up.
    private const double MemoryTolerance = 1.1;
    private const double LatencyTolerance = 1.5;

    private static readonly (string Name, string Project, string? Command)[] Measured =
        [("host", "LocalHost", "run"), ("Functions worker", "FunctionApp", null), ("GPU worker", "GpuWorker", "serve")];

    /// <returns>The promises, and if each was kept.</returns>
    public async Task<IReadOnlyList<Promise>> RunAsync(TimeSpan time, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var models = new RandomModels(stack, blobs);
        await models.CreateAsync(Model, seed: 1, cancellationToken);
        await models.ActivateAsync(Model, cancellationToken);
        await stack.WaitUntilServedAsync(Model, cancellationToken);
        List<string> files = [.. HeldOutImage.Load(stack.Options.HeldOutFolder)
            .Select(image => Path.Combine(stack.Options.HeldOutFolder, image.File))];
        var client = new PipelineClient(http, blobs);

        var uploaded = new Dictionary<string, DateTimeOffset>();
        var memory = new List<long[]>();
        var clock = Stopwatch.StartNew();
        using var timer = new PeriodicTimer(UploadInterval);
        while (clock.Elapsed < time && await timer.WaitForNextTickAsync(cancellationToken))
        {
            var name = $"soak/{uploaded.Count:D6}.jpg";
            await using var file = File.OpenRead(files[uploaded.Count % files.Count]);
            uploaded[name] = DateTimeOffset.UtcNow;
            await client.UploadAsync(name, file, cancellationToken);
            if (clock.Elapsed.TotalMinutes > memory.Count + 1) memory.Add(await MemoryAsync(cancellationToken));
            screen.Show($"{uploaded.Count} images uploaded in {clock.Elapsed.TotalMinutes:0} of {time.TotalMinutes:0} minutes");
        }
        memory.Add(await MemoryAsync(cancellationToken));

        var stored = new StoredDocuments(blobs);
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < DocumentLimit; await Task.Delay(1000, cancellationToken))
        {
            await stored.RefreshAsync(cancellationToken);
            if (stored.Documents.Count == uploaded.Count) break;
        }
        var start = uploaded.Values.Min();
        var latencies = uploaded.GroupBy(image => Math.Min((int)(image.Value - start).TotalMinutes, memory.Count - 1))
            .Select(minute => minute.Where(image => stored.Documents.ContainsKey(image.Key))
                .Select(image => (stored.Documents[image.Key].Document.At - image.Value).TotalSeconds).Order().ToList())
            .ToList();
        console.Write(Minutes(memory, latencies));
        return
        [
            new Promise(
                $"every image has its document ({stored.Documents.Count} of {uploaded.Count})",
                stored.Documents.Count == uploaded.Count, []),
            .. Measured.Select((process, i) => Flat(
                $"memory of the {process.Name}, in MB", [.. memory.Select(bytes => bytes[i] / 1e6)], MemoryTolerance)),
            Flat("median seconds from upload to answer", [.. latencies.Select(minute => Percentile(minute, 0.5))], LatencyTolerance),
        ];
    }

    /// <summary>Compares the last quarter of the minutes with the second one; the first is the warm-up.</summary>
    private static Promise Flat(string what, List<double> minutes, double tolerance)
    {
        var quarter = Math.Max(1, minutes.Count / 4);
        var before = minutes.Skip(quarter).Take(quarter).DefaultIfEmpty(minutes[0]).Average();
        var after = minutes.TakeLast(quarter).Average();
        return new Promise(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {before:0.0} in the second quarter, {after:0.0} in the last, at most {tolerance:0.0} times as much"),
            after <= before * tolerance, []);
    }

    private async Task<long[]> MemoryAsync(CancellationToken cancellationToken)
    {
        var processes = await Task.WhenAll(Measured.Select(process =>
            StackProcesses.FindAsync(stack.Options.StateFolder, process.Project, process.Command, cancellationToken)));
        return [.. processes.Select(process => process.ResidentBytes)];
    }

    private static Table Minutes(List<long[]> memory, List<List<double>> latencies)
    {
        var table = new Table { Title = new TableTitle("Each minute"), Border = TableBorder.Rounded };
        table.AddColumns("minute", "answers", "median s", "95 % s");
        foreach (var (name, _, _) in Measured) table.AddColumn($"{name}, MB");
        foreach (var (minute, seconds) in latencies.Index())
        {
            table.AddRow(
            [
                $"{minute + 1}", $"{seconds.Count}", Text(Percentile(seconds, 0.5)), Text(Percentile(seconds, 0.95)),
                .. memory[minute].Select(bytes => (bytes / 1e6).ToString("0", CultureInfo.InvariantCulture)),
            ]);
        }
        return table;

        static string Text(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
    }

    private static double Percentile(List<double> sorted, double share) =>
        sorted.Count == 0 ? double.NaN : sorted[(int)Math.Ceiling(share * sorted.Count) - 1];
}

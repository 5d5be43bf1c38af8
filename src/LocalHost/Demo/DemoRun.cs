using System.Diagnostics;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Runs the demo as a user would proceed: start a run over HTTP, follow it, upload images, read the predictions.</summary>
public static class DemoRun
{
    private static readonly TimeSpan PredictionLimit = TimeSpan.FromMinutes(2);

    /// <returns>Process exit code: 0 when every promise of the demo was kept.</returns>
    public static async Task<int> RunAsync(DemoOptions options, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        using var folder = FolderLock.Acquire(options.StateFolder);
        if (Directory.Exists(options.StateFolder)) Directory.Delete(options.StateFolder, recursive: true);
        var screen = new DemoScreen();
        screen.Say($"everything is written to {options.StateFolder}");
        await using var stack = await LocalStack.StartAsync(
            new LocalStackOptions
            {
                StateFolder = options.StateFolder,
                Images = options.Images,
                Rows = options.Rows,
                HoldBack = options.Uploads,
                Faults = options.Faults,
            },
            screen.Say, cancellationToken);

        using var http = new HttpClient { BaseAddress = stack.Host };
        // Azurite waits for open connections when it stops. All requests share one HTTP client, whose disposal closes them.
        var storage = new BlobServiceClient(stack.Storage, new BlobClientOptions { Transport = new HttpClientTransport(http) });
        var client = new PipelineClient(http, storage);
        var accepted = await client.StartRunAsync(options.Request(stack.Dataset, LocalStack.BaseModel), cancellationToken);
        screen.Say($"run           {accepted.Run}: {new Uri(stack.Host, accepted.StatusUrl)}");
        RunView? last = null;
        await foreach (var view in client.FollowAsync(accepted.Run, cancellationToken)) screen.Show(last = view);
        if (last is not { Outcome: { } outcome })
        {
            screen.Say($"the run ended as {last?.RuntimeStatus}: {last?.Error}\nLogs: {stack.Options.LogFolder}");
            return 1;
        }

        var uploads = await UploadAsync(client, stack.Options.HeldOutFolder, screen, cancellationToken);
        var runFolder = Path.Combine(options.StateFolder, "run");
        await client.SaveTrackingAsync(accepted.Run, runFolder, cancellationToken);
        var faults = options.Faults
            ? new InjectedFaults(await client.GetFaultsAsync(stack.Hub, cancellationToken), await client.GetRowsAsync(outcome.Dataset, cancellationToken))
            : null;
        var report = new DemoReport(
            outcome, await client.GetMetricsAsync(accepted.Run, cancellationToken), uploads, faults, runFolder, clock.Elapsed);
        return report.Print(AnsiConsole.Console);
    }

    private static async Task<IReadOnlyList<(HeldOutImage Truth, PredictionDocument? Prediction)>> UploadAsync(
        PipelineClient client, string folder, DemoScreen screen, CancellationToken cancellationToken)
    {
        var images = HeldOutImage.Load(folder);
        screen.Say($"uploading {images.Count} images that are in no split to {Containers.ProductImages}/demo");
        foreach (var image in images)
        {
            await using var file = File.OpenRead(Path.Combine(folder, image.File));
            await client.UploadAsync($"demo/{image.File}", file, cancellationToken);
        }
        return await Task.WhenAll(images.Select(async image =>
            (image, await client.WaitForPredictionAsync($"demo/{image.File}", PredictionLimit, cancellationToken))));
    }
}

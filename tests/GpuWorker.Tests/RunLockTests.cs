using System.Diagnostics;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tests;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>Workers of one run in blob storage, as processes of their own.</summary>
public sealed class RunLockTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _root = Directory.CreateTempSubdirectory("run-lock-").FullName;

    private BlobContainerClient Runs => azurite.Blobs.GetBlobContainerClient(Containers.Runs);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_worker_that_was_killed_is_followed_by_one_that_waits_until_its_lock_has_run_out()
    {
        await PrepareAsync("killed", steps: 60);
        using (var first = Start("killed"))
        {
            await UntilStepAsync("killed", 10);
            first.Kill(entireProcessTree: true);
            await first.WaitForExitAsync();
        }
        using var second = Start("killed");
        var output = await second.StandardOutput.ReadToEndAsync();
        await second.WaitForExitAsync();
        Assert.Equal(0, second.ExitCode);
        Assert.Contains("Another worker holds the lock of killed.", output, StringComparison.Ordinal);
        Assert.True(await Runs.GetBlobClient(new RunBlobs("killed").Result).ExistsAsync());
    }

    [Fact]
    public async Task A_worker_whose_run_is_trained_by_another_ends_and_touches_nothing()
    {
        await PrepareAsync("held", steps: 2);
        var runLock = Runs.GetBlobClient(new RunBlobs("held").WorkerLock);
        await runLock.UploadAsync(BinaryData.Empty);
        await runLock.GetBlobLeaseClient().AcquireAsync(TimeSpan.FromSeconds(-1));
        using var worker = Start("held");
        var error = await worker.StandardError.ReadToEndAsync();
        await worker.WaitForExitAsync();
        Assert.Equal(69, worker.ExitCode);
        Assert.Contains("Another worker trains held", error, StringComparison.Ordinal);
        Assert.False(await Runs.GetBlobClient(new RunBlobs("held").Heartbeat).ExistsAsync());
    }

    [Fact]
    public async Task A_worker_that_loses_its_lock_to_another_ends_at_once_without_a_checkpoint()
    {
        await PrepareAsync("lost", steps: 100_000);
        using var worker = Start("lost");
        await UntilStepAsync("lost", 10);
        var lease = Runs.GetBlobClient(new RunBlobs("lost").WorkerLock).GetBlobLeaseClient();
        await lease.BreakAsync(TimeSpan.Zero);
        await lease.AcquireAsync(TimeSpan.FromSeconds(-1));
        var waited = Stopwatch.StartNew();
        var error = await worker.StandardError.ReadToEndAsync();
        await worker.WaitForExitAsync();
        Assert.Equal(69, worker.ExitCode);
        Assert.Contains("Another worker has taken the lock of lost", error, StringComparison.Ordinal);
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Equal("training", (await HeartbeatAsync("lost")).Phase);
        Assert.Empty(Runs.GetBlobs(new() { Prefix = new RunBlobs("lost").Checkpoints }));
    }

    [Fact]
    public async Task A_worker_ends_with_a_checkpoint_within_20_seconds_of_SIGTERM_and_frees_its_lock()
    {
        await PrepareAsync("stopped", steps: 100_000);
        using var worker = Start("stopped");
        await UntilStepAsync("stopped", 10);
        var waited = Stopwatch.StartNew();
        using (var kill = Process.Start("sh", ["-c", $"kill -TERM {worker.Id}"])) await kill.WaitForExitAsync();
        await worker.WaitForExitAsync();
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.Equal(75, worker.ExitCode);
        var heartbeat = await HeartbeatAsync("stopped");
        Assert.Equal(Heartbeat.Preempted, heartbeat.Phase);
        var checkpoint = $"{new RunBlobs("stopped").Checkpoint(heartbeat.Step)}/complete.json";
        Assert.True(await Runs.GetBlobClient(checkpoint).ExistsAsync());
        var lease = Runs.GetBlobClient(new RunBlobs("stopped").WorkerLock).GetBlobLeaseClient();
        await lease.AcquireAsync(TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_worker_of_a_cancelled_run_does_not_train()
    {
        await PrepareAsync("cancelled", steps: 2);
        await Runs.GetBlobClient(new RunBlobs("cancelled").Cancelled).UploadAsync(BinaryData.FromString("{}"));
        using var worker = Start("cancelled");
        var error = await worker.StandardError.ReadToEndAsync();
        await worker.WaitForExitAsync();
        Assert.Equal(1, worker.ExitCode);
        Assert.Contains("cancelled was cancelled", error, StringComparison.Ordinal);
        Assert.False(await Runs.GetBlobClient(new RunBlobs("cancelled").Heartbeat).ExistsAsync());
    }

    private async Task PrepareAsync(string run, int steps)
    {
        var folder = Path.Combine(_root, run);
        SmallModel.Save(Directory.CreateDirectory(Path.Combine(folder, "models", "base")).FullName);
        File.WriteAllText(Path.Combine(folder, "models", "base", "complete.json"), "{}");
        var job = new TrainingJob
        {
            Run = run,
            BaseModel = "base",
            OutputModel = $"{run}-model",
            Shards =
            [
                TarShard.WriteColours(folder, $"{run}/train.tar", Splits.Train, samples: 10),
                TarShard.WriteColours(folder, $"{run}/validation.tar", Splits.Validation, samples: 2),
            ],
            Settings = new TrainingSettings
            {
                Epochs = 100_000, MaxSteps = steps, BatchSize = 4, NumCrops = 1, MaxAnswerTokens = 4, EvaluateEvery = 50_000,
            },
        };
        var request = Path.Combine(folder, "runs", new RunBlobs(run).Request);
        Directory.CreateDirectory(Path.GetDirectoryName(request)!);
        await File.WriteAllBytesAsync(request, JsonSerializer.SerializeToUtf8Bytes(job, PipelineJson.Options));
        foreach (var container in Directory.EnumerateDirectories(folder))
        {
            var blobs = azurite.Blobs.GetBlobContainerClient(Path.GetFileName(container));
            await blobs.CreateIfNotExistsAsync();
            foreach (var file in Directory.EnumerateFiles(container, "*", SearchOption.AllDirectories))
                await blobs.GetBlobClient(Path.GetRelativePath(container, file)).UploadAsync(file, overwrite: true);
        }
    }

    private Process Start(string run) => WorkerProcess.Start(
        new Dictionary<string, string> { ["PipelineStorage"] = azurite.ConnectionString },
        "train", "--run", run, "--cache", Path.Combine(_root, "cache"), "--threads", "1");

    private async Task UntilStepAsync(string run, int step)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!await Runs.GetBlobClient(new RunBlobs(run).Heartbeat).ExistsAsync(limit.Token) || (await HeartbeatAsync(run)).Step < step)
            await Task.Delay(100, limit.Token);
    }

    private async Task<Heartbeat> HeartbeatAsync(string run) =>
        (await Runs.GetBlobClient(new RunBlobs(run).Heartbeat).DownloadContentAsync()).Value.Content
            .ToObjectFromJson<Heartbeat>(PipelineJson.Options)!;
}

using System.Diagnostics;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tests;

namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>Runs that are interrupted, as processes of their own.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int Steps = 100;

    private readonly string _root = Directory.CreateTempSubdirectory("resume-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(FineTuningMethod.Full)]
    [InlineData(FineTuningMethod.Lora)]
    public async Task A_run_that_is_killed_again_and_again_ends_with_the_weights_of_an_uninterrupted_one(FineTuningMethod method)
    {
        var whole = Prepare("whole", method);
        Assert.Equal(0, await RunAsync(whole));

        var killed = Prepare("killed", method);
        foreach (var step in new[] { 10, 60 })
        {
            using var process = Start(killed);
            await UntilStepAsync(killed, step, process);
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
        Assert.Equal(0, await RunAsync(killed));

        Assert.Equal(File.ReadAllBytes(Model(whole)), File.ReadAllBytes(Model(killed)));
        var (expected, steps) = (StepsOf(whole), StepsOf(killed));
        Assert.Equal(expected, steps);
        Assert.Equal(Result(whole).FineTuned!.Loss, Result(killed).FineTuned!.Loss);
        Assert.Equal(CheckpointsOf(whole), CheckpointsOf(killed));
        Assert.Equal(File.ReadAllText(Answers(whole)), File.ReadAllText(Answers(killed)));
    }

    [Fact]
    public async Task A_run_that_is_asked_to_stop_leaves_a_checkpoint_and_goes_on_from_it()
    {
        var whole = Prepare("whole", FineTuningMethod.Full);
        Assert.Equal(0, await RunAsync(whole));

        var stopped = Prepare("stopped", FineTuningMethod.Full);
        using var process = Start(stopped);
        await UntilStepAsync(stopped, 30, process);
        using (var kill = Process.Start("sh", ["-c", $"kill -TERM {process.Id}"])) await kill.WaitForExitAsync();
        await process.WaitForExitAsync();
        Assert.Equal(75, process.ExitCode);
        Assert.Equal(Heartbeat.Preempted, Read<Heartbeat>(stopped, "heartbeat.json").Phase);
        var last = StepsOf(stopped)[^1];
        Assert.True(File.Exists(Path.Combine(stopped, "runs", "r1", "checkpoints", $"{last:D8}", "complete.json")));

        Assert.Equal(0, await RunAsync(stopped));
        Assert.Equal(File.ReadAllBytes(Model(whole)), File.ReadAllBytes(Model(stopped)));
    }

    [Fact]
    public async Task A_run_that_calls_for_no_checkpoint_has_some_by_time()
    {
        var folder = Prepare("timed", FineTuningMethod.Lora);
        WriteJob(folder, FineTuningMethod.Lora, change: settings =>
            settings with { CheckpointEvery = null, EvaluateEvery = 10 * Steps, CheckpointEveryMinutes = 0.001 });
        using var process = Start(folder);
        await UntilCheckpointAsync(folder, process);
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
    }

    [Fact]
    public async Task Checkpoints_of_other_settings_are_refused_with_the_way_out()
    {
        var folder = Prepare("other", FineTuningMethod.Full);
        using (var process = Start(folder))
        {
            await UntilCheckpointAsync(folder, process);
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
        WriteJob(folder, FineTuningMethod.Full, learningRate: 1e-3);
        Assert.Equal(1, await RunAsync(folder));
        Assert.Contains("made with other settings", Result(folder).Error, StringComparison.Ordinal);
    }

    private string Prepare(string name, FineTuningMethod method)
    {
        var folder = Path.Combine(_root, name);
        SmallModel.Save(Directory.CreateDirectory(Path.Combine(folder, "models", "base")).FullName);
        File.WriteAllText(Path.Combine(folder, "models", "base", "complete.json"), "{}");
        WriteJob(folder, method);
        return folder;
    }

    private static void WriteJob(
        string folder, FineTuningMethod method, double learningRate = 1e-2, Func<TrainingSettings, TrainingSettings>? change = null)
    {
        var job = new TrainingJob
        {
            Run = "r1",
            BaseModel = "base",
            OutputModel = "r1-model",
            Shards =
            [
                TarShard.WriteColours(folder, "d/train.tar", Splits.Train, samples: 10),
                TarShard.WriteColours(folder, "d/validation.tar", Splits.Validation, samples: 2),
            ],
            Settings = new TrainingSettings
            {
                Method = method,
                Lora = new LoraSettings { Dropout = 0.1 },
                Epochs = 1000,
                MaxSteps = Steps,
                BatchSize = 4,
                LearningRate = learningRate,
                NumCrops = 1,
                MaxAnswerTokens = 4,
                AugmentImages = method == FineTuningMethod.Full,
                EvaluateEvery = 25,
                CheckpointEvery = 7,
            },
        };
        if (change is not null) job = job with { Settings = change(job.Settings) };
        var path = Path.Combine(folder, "runs", "r1", "request.json");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(job, PipelineJson.Options));
    }

    private Process Start(string folder) =>
        WorkerProcess.Start("train", "--run", "r1", "--folder", folder, "--cache", Path.Combine(_root, "cache"), "--threads", "1");

    private async Task<int> RunAsync(string folder)
    {
        using var process = Start(folder);
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static Task UntilStepAsync(string folder, int step, Process process) =>
        UntilAsync($"step {step}", () => StepsOf(folder).Any(done => done >= step), process);

    // Uploads run beside the training: a checkpoint may be complete only some steps after its own.
    private static Task UntilCheckpointAsync(string folder, Process process)
    {
        var checkpoints = Directory.CreateDirectory(Path.Combine(folder, "runs", "r1", "checkpoints")).FullName;
        return UntilAsync(
            "a complete checkpoint",
            () => Directory.EnumerateFiles(checkpoints, "complete.json", SearchOption.AllDirectories).Any(),
            process);
    }

    private static async Task UntilAsync(string what, Func<bool> isThere, Process process)
    {
        var patience = Stopwatch.StartNew();
        while (!isThere())
        {
            Assert.False(process.HasExited, $"The worker ended before {what}.");
            Assert.True(patience.Elapsed < TimeSpan.FromMinutes(2), $"It did not come to {what}.");
            await Task.Delay(20);
        }
    }

    private static List<int> StepsOf(string folder) =>
        [.. MetricsOf(folder).Where(line => line.Loss is not null).Select(line => line.Step)];

    private static List<int> CheckpointsOf(string folder) =>
        [.. MetricsOf(folder).Where(line => line.Checkpoint == true).Select(line => line.Step)];

    private static List<MetricsLine> MetricsOf(string folder)
    {
        var path = Path.Combine(folder, "runs", "r1", "metrics.jsonl");
        if (!File.Exists(path)) return [];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var text = new StreamReader(stream).ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!)];
    }

    private static string Answers(string folder) => Path.Combine(folder, "runs", "r1", "predictions.jsonl");

    private static string Model(string folder) => Path.Combine(folder, "models", "r1-model", "model.safetensors");

    private static TrainingResult Result(string folder) => Read<TrainingResult>(folder, "result.json");

    private static T Read<T>(string folder, string name) =>
        JsonSerializer.Deserialize<T>(File.ReadAllBytes(Path.Combine(folder, "runs", "r1", name)), PipelineJson.Options)!;
}

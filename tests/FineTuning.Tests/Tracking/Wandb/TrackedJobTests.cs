using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests.Tracking.Wandb;

[Collection(nameof(TrainingJobRunnerTests))]
public sealed class TrackedJobTests : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("tracked-").FullName;
    private readonly Dictionary<string, string> _variables = [];
    private FakeWandb _server = null!;
    private Heartbeat? _beat;

    private string Storage => Path.Combine(_root, "storage");

    public async Task InitializeAsync()
    {
        _server = await FakeWandb.StartAsync();
        foreach (var (name, value) in new[]
        {
            ("WANDB_API_KEY", FakeWandb.Key), ("WANDB_PROJECT", "catalog"), ("WANDB_BASE_URL", $"{_server.Server}"),
        }) _variables[name] = value;
        var model = Directory.CreateDirectory(Path.Combine(Storage, "models", "base")).FullName;
        SmallModel.Save(model);
        await File.WriteAllTextAsync(Path.Combine(model, "complete.json"), "{}");
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_run_of_three_attempts_arrives_complete_although_one_of_them_was_not_tracked()
    {
        var job = new TrainingJob
        {
            Run = "r1",
            BaseModel = "base",
            OutputModel = "r1-model",
            Sweep = "lr",
            Shards =
            [
                TarShard.WriteColours(Storage, "d/train.tar", Splits.Train, samples: 8),
                TarShard.WriteColours(Storage, "d/validation.tar", Splits.Validation, samples: 4),
                TarShard.WriteColours(Storage, "d/test.tar", Splits.Test, samples: 2),
            ],
            Settings = new TrainingSettings
            {
                MaxSteps = 60, Epochs = 1000, BatchSize = 4, LearningRate = 1e-2, NumCrops = 1, MaxAnswerTokens = 12, EvaluateEvery = 15,
            },
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(job, stopAt: 10));
        Assert.Equal(("running", true), (_server.Run.State, _server.Run.IsPreempting));
        _variables.Remove("WANDB_API_KEY", out var key);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(job, stopAt: 35));
        Assert.InRange(_server.Run.Steps[^1], 9, 30);
        _variables["WANDB_API_KEY"] = key!;
        var result = await RunAsync(job, stopAt: int.MaxValue);

        Assert.True(result.Succeeded, result.Error);
        var run = Assert.Single(_server.Runs).Value;
        Assert.Empty(_server.Violations);
        Assert.Empty(run.Dropped);
        Assert.Equal(("finished", 0, "lr"), (run.State, run.ExitCode, (string)run.Settings["group"]!));
        Assert.Equal(Enumerable.Range(0, 61), run.Steps);
        var stored = (await File.ReadAllLinesAsync(Path.Combine(Storage, "runs", "r1", "metrics.jsonl")))
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!).ToList();
        Assert.Equal(
            stored.Where(line => line.Loss is not null).Select(line => line.Loss!.Value),
            run.Lines.Skip(1).Select(line => (double)line["train/loss"]!));
        Assert.Equal(
            stored.Where(line => line.Validation is not null).Select(line => line.Step).Distinct(),
            run.Lines.Where(line => line["validation/loss"] is not null).Select(line => (int)line["_step"]!));
        var galleries = run.Lines.Where(line => line["gallery"] is not null).ToList();
        Assert.Equal([0, 15, 30, 45, 60], galleries.Select(line => (int)line["_step"]!));
        var images = galleries.SelectMany(line => line["gallery"]!["filenames"]!.AsArray()).Select(path => (string)path!).Distinct();
        Assert.Equal(images.Order(), run.Told.Order());
        Assert.Contains("True: Category: Coats", (string)galleries[^1]["gallery"]!["captions"]![1]!);
        Assert.Equal(result.Test!.Loss, (double)run.Summary!["test/loss"]!);
        Assert.Equal(60, (int)run.Config["maxSteps"]!["value"]!);
        Assert.Contains(
            new TrackerStatus("Weights & Biases", $"{_server.Server}{FakeWandb.Entity}/catalog/runs/r1", null), _beat!.Trackers!);
        Assert.DoesNotContain(FakeWandb.Key, JsonSerializer.Serialize(_beat));
    }

    private async Task<TrainingResult> RunAsync(TrainingJob job, int stopAt)
    {
        using var stop = new CancellationTokenSource();
        var options = new TrainingJobRunnerOptions
        {
            WorkFolder = Path.Combine(_root, "work"),
            HeartbeatInterval = TimeSpan.FromMilliseconds(5),
            Variable = _variables.GetValueOrDefault,
        };
        var progress = new Watcher(beat =>
        {
            _beat = beat;
            if (beat.Step >= stopAt) stop.Cancel();
        });
        var runner = new TrainingJobRunner(
            new LocalRunStore(Storage), options, TimeProvider.System, NullLogger<TrainingJobRunner>.Instance, progress);
        return await runner.RunAsync(job, stop.Token);
    }

    /// <summary>Calls on the thread of the report, so that no beat is late.</summary>
    private sealed class Watcher(Action<Heartbeat> watch) : IProgress<Heartbeat>
    {
        public void Report(Heartbeat value) => watch(value);
    }
}

using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tests.Data;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests;

/// <summary>Runs on a dataset of which the disk holds a quarter, and of which every other sample has two images.</summary>
[Collection(nameof(TrainingJobRunnerTests))]
public sealed class StreamedTrainingTests : IDisposable
{
    private const int Shards = 16;

    private readonly string _root = Directory.CreateTempSubdirectory("streamed-").FullName;
    private readonly TrainingJob _job;
    private readonly long _budget;

    public StreamedTrainingTests()
    {
        SmallModel.Save(Directory.CreateDirectory(Blob("models/base")).FullName);
        File.WriteAllText(Blob("models/base/complete.json"), "{}");
        _job = new TrainingJob
        {
            Run = "r1",
            BaseModel = "base",
            OutputModel = "r1-model",
            Shards =
            [
                .. Enumerable.Range(0, Shards).Select(i => Write($"d/train-{i:D5}.tar", Splits.Train, first: 4 * i)),
                Write("d/validation-00000.tar", Splits.Validation, first: 4 * Shards),
            ],
            Settings = new TrainingSettings
            {
                Epochs = 2, BatchSize = 8, NumCrops = 1, MaxAnswerTokens = 4, WarmupSteps = 2, LearningRate = 1e-3, EvaluateEvery = 100,
                CheckpointEvery = 5, KeepCheckpoints = 10,
            },
        };
        _budget = _job.Shards.Sum(shard => shard.Bytes) / 4;
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(FineTuningMethod.Full, true)]
    [InlineData(FineTuningMethod.Lora, false)]
    public async Task A_run_that_resumes_on_another_disk_ends_with_the_same_bits(FineTuningMethod method, bool augment)
    {
        // Twice 64 samples, 8 a step.
        var job = _job with { Settings = _job.Settings with { Method = method, AugmentImages = augment } };
        Assert.Equal(16, await RunAsync(job, new LocalRunStore(Storage), _budget));
        var (weights, losses) = (Weights(), Losses());
        Assert.Equal(16, losses.Count);

        foreach (var later in Directory.GetDirectories(Blob("runs/r1/checkpoints")).Where(folder => Path.GetFileName(folder) != "00000005"))
            Directory.Delete(later, recursive: true);
        Directory.Delete(Blob("models/r1-model"), recursive: true);
        var store = new CountingStore(new LocalRunStore(Storage));
        Assert.Equal(16, await RunAsync(job, store, 3 * _budget));
        Assert.Equal(weights, Weights());
        Assert.Equal(losses, Losses());
        // The resumed run began in its first epoch, with shards that it did not need before.
        Assert.Equal(Shards, Fetched(store).Distinct().Count());
    }

    [Fact]
    public async Task The_disk_holds_no_more_than_its_budget_and_every_shard_is_fetched_about_once_an_epoch()
    {
        var store = new CountingStore(new LocalRunStore(Storage));
        long most = 0;
        store.Downloaded = path =>
        {
            if (path.EndsWith(".tar", StringComparison.Ordinal))
                most = Math.Max(most, Directory.GetFiles(Path.GetDirectoryName(path)!).Sum(Length));
        };
        Assert.Equal(16, await RunAsync(_job, store, _budget));

        // Validation may take a batch's shards while those of training are in use; the largest group is half the budget.
        Assert.InRange(most, _budget / 2, _budget + _job.Shards[^1].Bytes);
        var fetched = Fetched(store).CountBy(name => name).ToList();
        Assert.Equal(Shards, fetched.Count);
        // Two epochs, and a shard of the end of one epoch may still be there in the next.
        Assert.InRange(fetched.Sum(count => count.Value), Shards, 2 * Shards + 2);
        Assert.Contains(fetched, count => count.Value > 1);
    }

    [Fact]
    public async Task Features_of_more_images_than_the_disk_takes_are_not_cached()
    {
        var job = _job with { Settings = _job.Settings with { Method = FineTuningMethod.Lora, MaxSteps = 2 } };
        Assert.Equal(2, await RunAsync(job, new LocalRunStore(Storage), _budget, features: 1_000_000));
        Assert.Equal(0, CachedFeatures());
        Assert.Equal(2, await RunAsync(job with { Run = "r2" }, new LocalRunStore(Storage), _budget, features: 100_000_000));
        Assert.Equal(6 * (Shards + 1), CachedFeatures());
    }

    /// <returns>The number of steps.</returns>
    private async Task<int> RunAsync(TrainingJob job, IRunStore store, long shards, long features = long.MaxValue)
    {
        var options = new TrainingJobRunnerOptions
        {
            WorkFolder = Directory.CreateDirectory(Path.Combine(_root, "work", Guid.NewGuid().ToString("N"))).FullName,
            HeartbeatInterval = TimeSpan.FromMilliseconds(50),
            ShardCacheBytes = shards,
            FeatureCacheBytes = features,
            ImageCacheBytes = 0,
        };
        var result = await new TrainingJobRunner(store, options, TimeProvider.System, NullLogger<TrainingJobRunner>.Instance)
            .RunAsync(job, default);
        Assert.True(result.Succeeded, result.Error);
        return result.Steps;
    }

    // Of the training split.
    private static IEnumerable<string> Fetched(CountingStore store) =>
        store.Downloads.Where(name => name.Contains("train-") && name.EndsWith(".tar", StringComparison.Ordinal));

    private int CachedFeatures() =>
        Directory.GetFiles(Path.Combine(_root, "work"), "*", SearchOption.AllDirectories).Count(file => file.Contains("features"));

    private Dictionary<string, string> Weights() =>
        Directory.GetFiles(Blob("models/r1-model"), "*.safetensors", SearchOption.AllDirectories).ToDictionary(
            file => Path.GetRelativePath(Storage, file), file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));

    private List<double> Losses() => [.. File.ReadLines(Blob("runs/r1/metrics.jsonl"))
        .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!.Loss).OfType<double>()];

    private ShardInfo Write(string blob, string split, int first) => TarShard.Write(Storage, blob, split,
        [.. Enumerable.Range(first, 4).Select(i =>
        {
            byte[][] images = i % 2 == 0 ? [NoiseImage.Png(40, i)] : [NoiseImage.Png(40, i), NoiseImage.Png(40, 1000 + i)];
            var sha = Convert.ToHexStringLower(SHA256.HashData(images[0]));
            return (new SampleLabels($"{split}-{i}", sha, null, i % 2 == 0 ? "Hats" : "Coats", null), 40, 40, images);
        })]);

    private static long Length(string file)
    {
        try
        {
            return new FileInfo(file).Length;
        }
        catch (FileNotFoundException)
        {
            // Removed since the folder was listed.
            return 0;
        }
    }

    private string Storage => Path.Combine(_root, "storage");

    private string Blob(string name) => Path.Combine(Storage, name);
}

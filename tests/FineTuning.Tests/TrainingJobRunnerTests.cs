using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests;

/// <summary>The count of live tensors is the process's, so that nothing may run beside these tests.</summary>
[CollectionDefinition(nameof(TrainingJobRunnerTests), DisableParallelization = true)]
public sealed class TrainingJobRunnerCollection;

[Collection(nameof(TrainingJobRunnerTests))]
public sealed class TrainingJobRunnerTests : IDisposable
{
    private static readonly TrainingSettings Settings = new()
    {
        MaxSteps = 20,
        Epochs = 100,
        BatchSize = 4,
        LearningRate = 1e-2,
        WarmupSteps = 2,
        NumCrops = 1,
        MaxAnswerTokens = 12,
        EvaluateEvery = 10,
    };

    private readonly string _root = Directory.CreateTempSubdirectory("trainer-").FullName;
    private readonly LocalRunStore _store;

    private TrainingJob Job { get; }

    private string Storage => Path.Combine(_root, "storage");

    public TrainingJobRunnerTests()
    {
        _store = new LocalRunStore(Storage);
        Job = new TrainingJob
        {
            Run = "r1",
            BaseModel = "base",
            OutputModel = "r1-model",
            Shards =
            [
                TarShard.WriteColours(Storage, "d/train.tar", Splits.Train, samples: 8),
                TarShard.WriteColours(Storage, "d/validation.tar", Splits.Validation, samples: 4),
            ],
            Settings = Settings,
        };
        SmallModel.Save(Directory.CreateDirectory(Blob("models/base")).FullName);
        File.WriteAllText(Blob("models/base/complete.json"), "{}");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_run_lowers_the_loss_and_leaves_metrics_heartbeat_result_and_a_whole_model()
    {
        var result = await RunAsync(Job);

        Assert.True(result.Succeeded, result.Error);
        Assert.Equal((20, 80), (result.Steps, result.TrainingSamples));
        Assert.True(result.FineTuned!.Loss < result.Base!.Loss / 2, $"{result.Base.Loss} -> {result.FineTuned.Loss}");
        Assert.Equal((4, 4), (result.FineTuned.Samples, result.FineTuned.Generated));
        Assert.Equal(0.5, result.FineTuned.MajorityCategoryAccuracy);
        Assert.Equivalent(result, Read<TrainingResult>("runs/r1/result.json"));

        var metrics = File.ReadLines(Blob("runs/r1/metrics.jsonl"))
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!).ToList();
        Assert.Equal(Enumerable.Range(1, 20), metrics.Where(m => m.Loss is not null).Select(m => m.Step));
        Assert.Equal([0, 10, 20], metrics.Where(m => m.Validation is not null).Select(m => m.Step));
        Assert.Equal([10, 20], metrics.Where(m => m.Checkpoint == true).Select(m => m.Step));
        Assert.Equal(metrics.Select(m => m.Step).Order(), metrics.Select(m => m.Step));
        var heartbeat = Read<Heartbeat>("runs/r1/heartbeat.json");
        Assert.Equal(("done", 20, 20), (heartbeat.Phase, heartbeat.Step, heartbeat.Steps));
        Assert.Equal([new TrackerStatus("TensorBoard", null, null)], heartbeat.Trackers);
        Assert.Equal(heartbeat.Trackers, result.Trackers);

        var gallery = Read<SampleGallery>("runs/r1/samples/samples.json").Samples;
        Assert.Equal(
            ["validation-0.png", "validation-1.png", "validation-2.png", "validation-3.png"],
            gallery.Select(sample => sample.Image));
        Assert.Equal([0, 10, 20], gallery[1].Answers.Select(answer => answer.Step));
        Assert.Equal("Category: Coats", gallery[1].Truth);
        Assert.All(gallery[1].Answers, answer => Assert.InRange(answer.Confidence!.Answer, double.Epsilon, 1));

        var answers = Answers("r1");
        Assert.Equal(
            [(EvaluatedAnswer.BaseModel, Splits.Validation, 4), (EvaluatedAnswer.FineTunedModel, Splits.Validation, 4)],
            answers.CountBy(answer => (answer.Model, answer.Split)).Select(count => (count.Key.Model, count.Key.Split, count.Value)));
        Assert.Equal(gallery.Select(sample => sample.Answers[^1].Answer), answers[4..].Select(answer => answer.Answer));
        Assert.Equal(gallery.Select(sample => sample.Answers[^1].Confidence), answers[4..].Select(answer => answer.Confidence));
        Assert.Equal(
            result.FineTuned.CategoryAccuracy, answers[4..].Average(answer => answer.Category == answer.Truth.Category ? 1.0 : 0));
        Assert.Contains(Directory.EnumerateFiles(Blob("runs/r1/tensorboard")), file => file.Contains("tfevents"));

        Assert.True(File.Exists(Blob("models/r1-model/complete.json")));
        Assert.Contains("| train | 8 |", File.ReadAllText(Blob("models/r1-model/README.md")));
        var serving = ServingSettings.Load(Blob("models/r1-model"));
        Assert.Equal(1, serving.NumCrops);
        Assert.Equal(["Coats", "Hats"], serving.Values!["category"]);
        Assert.Equal([["category"]], serving.FieldSets);
        using var saved = ModelFolder.Load(Blob("models/r1-model"), CPU, ScalarType.Float32);
        Assert.False(Directory.Exists(Path.Combine(_root, "work", "runs", "r1")));
    }

    [Fact]
    public async Task A_job_with_fields_of_its_own_is_trained_measured_and_served_with_them()
    {
        FieldDefinition[] fields =
        [
            .. FieldDefinition.Defaults, new("brand", FieldKind.Category), new("colour", FieldKind.Category),
            new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List),
        ];
        FieldValues[] kinds =
        [
            Values("Acme", "red", 120, "wool", "cotton"), Values("Umbra", "blue", 80.5, "steel"),
        ];
        var job = Job with
        {
            Fields = fields,
            Shards = [Shard("d/fields.tar", Splits.Train, 8), Shard("d/fields-validation.tar", Splits.Validation, 4)],
            Settings = Job.Settings with
            {
                AnswerTemplate = "Brand: {brand}, Colour: {colour}, Weight: {weight}, Materials: {materials}",
                MaxAnswerTokens = 100,
                MaxSteps = 60,
                EvaluateEvery = 30,
            },
        };
        var result = await RunAsync(job);
        Assert.True(result.Succeeded, result.Error);
        Assert.True(result.FineTuned!.Loss < result.Base!.Loss / 2, $"{result.Base.Loss} -> {result.FineTuned.Loss}");
        Assert.Equal(1, result.FineTuned.ParsedShare);
        Assert.Null(result.FineTuned.CategoryAccuracy);
        var metrics = result.FineTuned.Fields!;
        Assert.Equal(["brand", "colour", "materials", "weight"], metrics.Keys.Order());
        Assert.All(metrics.Values, field => Assert.Equal(4, field.Samples));
        Assert.Equal(0.5, metrics["brand"].Baseline!.ExactMatch);
        Assert.Equal(("g", 100.25 - 80.5), (metrics["weight"].Unit, metrics["weight"].Baseline!.MedianError!.Value));
        Assert.Equivalent(result, Read<TrainingResult>("runs/r1/result.json"));

        var answers = Answers("r1")[4..];
        Assert.Equal(
            metrics["brand"].Answered.ExactMatch,
            answers.Average(answer => answer.Fields!.GetValueOrDefault("brand")?.Text == answer.Truth.Fields!["brand"].Text ? 1.0 : 0));
        Assert.All(answers, answer =>
        {
            Assert.Equal(answer.Fields!.Keys, answer.Confidence.Fields!.Keys.Order());
            Assert.All(answer.Confidence.Fields.Values, confidence => Assert.InRange(confidence, 0, 1));
        });
        var gallery = Read<SampleGallery>("runs/r1/samples/samples.json").Samples;
        Assert.Equal("Brand: Umbra, Colour: blue, Weight: 80.5 g, Materials: steel", gallery[1].Truth);
        Assert.Contains("| Brand accuracy |", File.ReadAllText(Blob("models/r1-model/README.md")));

        var serving = ServingSettings.Load(Blob("models/r1-model"));
        Assert.Equal(fields, serving.Definitions);
        Assert.Equal([["brand", "colour", "weight", "materials"]], serving.FieldSets);
        Assert.Equal(["cotton", "steel", "wool"], serving.Values!["materials"]);

        // The base model knows nothing, and answers with known values all the same.
        using var scope = NewDisposeScope();
        using var loaded = ModelFolder.Load(Blob("models/base"), CPU, ScalarType.Float32);
        var rows = new RowBuilder(loaded.Tokenizer, serving);
        var image = new ImageProcessor(1).Fit(ImageReader.Read(TarShard.Png(60, 60, new(220, 20, 20))));
        var views = ImageProcessor.Views(image);
        var prompt = rows.Prompt(views.Tokens);
        var batch = new TrainingBatch([(new TrainingRow(prompt, prompt.Length), [views])], loaded.Config.PadTokenId, padLeft: true);
        var input = batch.Input(CPU);
        foreach (var seed in Enumerable.Range(0, 5))
        {
            var generated = new TextGenerator(loaded.Model).Generate(input, new GenerationSettings
            {
                MaxTokens = serving.MaxAnswerTokens,
                StopTokens = rows.StopTokens,
                Temperature = 2,
                Seed = seed,
                Constraint = new AnswerConstraint(loaded.Tokenizer, serving, rows.StopTokens),
            }, default)[0];
            var answered = PredictedAnswer.Of(generated, rows).Read!.Fields!;
            Assert.Contains(answered["brand"].Text, serving.Values["brand"]);
            Assert.Contains(answered["colour"].Text, serving.Values["colour"]);
            Assert.NotNull(answered["weight"].Number);
            Assert.Subset(serving.Values["materials"].ToHashSet(), answered["materials"].Items!.ToHashSet());
        }

        ShardInfo Shard(string blob, string split, int samples) => TarShard.Write(Storage, blob, split,
            [.. Enumerable.Range(0, samples).Select(i =>
            {
                var png = TarShard.Png(60, 60, i % 2 == 0 ? new(220, 20, 20) : new(20, 20, 220));
                var labels = new SampleLabels($"{split}-{i}", Convert.ToHexStringLower(SHA256.HashData(png)), null, null, null);
                return (labels with { Fields = kinds[i % 2] }, 60, 60, png);
            })]);

        static FieldValues Values(string brand, string colour, double weight, params string[] materials) => new(
            new Dictionary<string, FieldValue>
            {
                ["brand"] = new(brand), ["colour"] = new(colour), ["weight"] = new(weight), ["materials"] = new(materials),
            });
    }

    [Fact]
    public async Task The_same_job_gives_the_same_figures_again()
    {
        var job = Job with { Settings = Job.Settings with { MaxSteps = 3 } };
        var first = await RunAsync(job);
        var second = await RunAsync(job);
        Assert.Equivalent(first.FineTuned, second.FineTuned);
    }

    [Fact]
    public async Task Training_leaves_no_tensor_behind()
    {
        await RunAsync(Job with { Settings = Job.Settings with { MaxSteps = 1 } });
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        await RunAsync(Job with { Settings = Job.Settings with { MaxSteps = 6 } });
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public async Task A_learning_rate_that_blows_the_weights_up_fails_the_run_with_the_way_out()
    {
        var result = await RunAsync(Job with { Settings = Job.Settings with { LearningRate = 1e20, WarmupSteps = 0 } });
        Assert.False(result.Succeeded);
        Assert.Contains("Lower training.learningRate", result.Error);
        Assert.Equivalent(result, Read<TrainingResult>("runs/r1/result.json"));
        Assert.False(Directory.Exists(Blob("models/r1-model")));
    }

    [Fact]
    public async Task A_dataset_without_validation_samples_fails_the_run_with_the_way_out()
    {
        var result = await RunAsync(Job with { Shards = [Job.Shards[0]] });
        Assert.Equal("The dataset has no usable validation samples; raise dataset.validationFraction.", result.Error);
    }

    [Fact]
    public async Task A_base_model_that_is_not_whole_fails_the_run()
    {
        File.Delete(Blob("models/base/complete.json"));
        var result = await RunAsync(Job);
        Assert.Contains("There is no complete model base", result.Error);
    }

    [Fact]
    public async Task Samples_longer_than_the_context_fail_the_run_with_the_way_out()
    {
        var narrow = SmallModel.Config with { MaxPositionEmbeddings = 320, OriginalMaxPositionEmbeddings = 320, SlidingWindow = 320 };
        narrow.Save(Blob("models/base"));
        var result = await RunAsync(Job);
        Assert.Contains("Every training sample is longer than 320 tokens", result.Error);
        Assert.Contains("Lower training.numCrops", result.Error);
    }

    [Fact]
    public async Task A_sample_longer_than_asked_for_is_left_out_and_counted()
    {
        ShardInfo[] shards =
        [
            TarShard.WriteColours(Storage, "d/wide.tar", Splits.Train, samples: 4, width: 100, height: 40),
            TarShard.WriteColours(Storage, "d/square.tar", Splits.Train, samples: 3),
            TarShard.WriteColours(Storage, "d/wide-validation.tar", Splits.Validation, samples: 2, width: 100, height: 40),
        ];
        // A wide image takes two of four crops, 457 tokens; a square one all of them, 757.
        var settings = Job.Settings with { MaxSteps = 1, NumCrops = 4, MaxTokens = 700 };
        var result = await RunAsync(Job with { Shards = shards, Settings = settings });
        Assert.True(result.Succeeded, result.Error);
        Assert.Equal(3, result.DroppedSamples);
    }

    [Fact]
    public async Task The_test_split_is_neither_learned_nor_validated_on_but_tested_on_at_the_end()
    {
        var test = TarShard.WriteColours(Storage, "d/test.tar", Splits.Test, samples: 6);
        var result = await RunAsync(Job with { Shards = [.. Job.Shards, test], Settings = Job.Settings with { MaxSteps = 2 } });
        Assert.True(result.Succeeded, result.Error);
        Assert.Equal((4, 6), (result.FineTuned!.Samples, result.Test!.Samples));
        Assert.Equal(
            ["test-0", "test-1", "test-2", "test-3", "test-4", "test-5"],
            Answers("r1").Where(answer => answer.Split == Splits.Test).Select(answer => answer.Truth.Key));
        var plain = await RunAsync(Job with { Run = "r2", Settings = Job.Settings with { MaxSteps = 2 } });
        Assert.Equal(plain.FineTuned!.Loss, result.FineTuned.Loss);
        Assert.Null(plain.Test);
    }

    [Fact]
    public async Task Epochs_end_with_a_partial_step()
    {
        var result = await RunAsync(Job with { Settings = Job.Settings with { Epochs = 1.25, MaxSteps = null, EvaluateEvery = 100 } });
        Assert.True(result.Succeeded, result.Error);
        Assert.Equal((3, 10), (result.Steps, result.TrainingSamples));
    }

    [Fact]
    public async Task Adapters_lower_the_loss_and_are_saved_by_themselves_and_merged()
    {
        var settings = Job.Settings with
        {
            Method = FineTuningMethod.Lora,
            Lora = new LoraSettings { Rank = 4, Projector = true, Dropout = 0.05 },
        };
        var result = await RunAsync(Job with { Settings = settings });
        Assert.True(result.Succeeded, result.Error);
        Assert.True(result.FineTuned!.Loss < result.Base!.Loss - 0.2, $"{result.Base.Loss} -> {result.FineTuned.Loss}");

        using var scope = NewDisposeScope();
        using var merged = ModelFolder.LoadModel(Blob("models/r1-model"), CPU, ScalarType.Float32);
        using var adapted = ModelFolder.LoadModel(Blob("models/base"), CPU, ScalarType.Float32);
        using var adapters = PeftFolder.Load(Blob("models/r1-model/adapter"), adapted);
        adapted.eval();
        var ids = tensor(new long[] { 1, 5, 9, 7 }, [1, 4]);
        Assert.True((merged.forward(new ModelInput(ids)) - adapted.forward(new ModelInput(ids))).abs().max().item<float>() < 1e-4);
        Assert.Contains("adapter", File.ReadAllText(Blob("models/r1-model/README.md")));
    }

    [Fact]
    public async Task A_frozen_tower_sees_every_image_once_and_the_weights_are_the_same_as_when_it_sees_them_each_time()
    {
        var settings = Job.Settings with { Method = FineTuningMethod.Lora, MaxSteps = 5 };
        var phases = new HashSet<string>();
        var cached = await RunAsync(Job with { Settings = settings }, new Progress<Heartbeat>(beat => phases.Add(beat.Phase)));
        Assert.True(cached.Succeeded, cached.Error);
        var uncached = settings with { CacheVisionFeatures = false };
        var seen = await RunAsync(Job with { Run = "r2", OutputModel = "r2-model", Settings = uncached });
        Assert.Equal(seen.FineTuned!.Loss, cached.FineTuned!.Loss, 1e-5);
        Assert.Contains(
            Directory.EnumerateFiles(Path.Combine(_root, "work"), "*", SearchOption.AllDirectories),
            file => file.Contains("features"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Recomputed_activations_and_micro_batches_end_with_nearly_the_same_loss(bool packing)
    {
        var settings = Job.Settings with { MaxSteps = 4, LearningRate = 1e-3, Packing = packing };
        var plain = await RunAsync(Job with { Settings = settings });
        var saving = await RunAsync(Job with { Run = "r2", Settings = settings with { RecomputeActivations = true, MicroBatchSize = 1 } });
        Assert.True(saving.Succeeded, saving.Error);
        Assert.Equal(plain.FineTuned!.Loss, saving.FineTuned!.Loss, 1e-3);
    }

    [Fact]
    public async Task Weights_of_16_bits_are_trained_too()
    {
        var result = await RunAsync(Job with { Settings = Job.Settings with { Precision = WeightPrecision.Bfloat16 } });
        Assert.True(result.Succeeded, result.Error);
        Assert.True(result.FineTuned!.Loss < result.Base!.Loss / 2, $"{result.Base.Loss} -> {result.FineTuned.Loss}");
    }

    [Fact]
    public async Task Training_stops_early_and_ends_with_the_best_weights()
    {
        // So high a rate that the loss soon goes up and down.
        var settings = Job.Settings with
        {
            MaxSteps = 500,
            LearningRate = 5e-2,
            Schedule = ScheduleShape.Constant,
            EvaluateEvery = 3,
            EarlyStopping = 2,
            KeepCheckpoints = 1,
        };
        var result = await RunAsync(Job with { Settings = settings });
        Assert.True(result.Succeeded, result.Error);
        Assert.InRange(result.Steps, 6, 400);
        Assert.Equal(result.Steps - 6, result.BestStep);
        var losses = File.ReadLines(Blob("runs/r1/metrics.jsonl"))
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!)
            .Where(line => line is { Step: > 0, Validation: not null }).ToList();
        Assert.Equal(losses.Min(line => line.Validation!.Loss), result.FineTuned!.Loss, 1e-6);
    }

    [Fact]
    public async Task A_target_that_matches_nothing_fails_the_run_with_what_there_is()
    {
        var settings = Job.Settings with { Method = FineTuningMethod.Lora, Lora = new LoraSettings { Targets = ["q_project"] } };
        var result = await RunAsync(Job with { Settings = settings });
        Assert.Contains("'q_project' matches no linear layer", result.Error);
        Assert.Contains("qkv_proj", result.Error);
    }

    [Fact]
    public async Task A_shard_that_is_gone_fails_the_run_with_the_way_out()
    {
        // Images that validation does not have too, as those are kept in memory.
        var train = TarShard.WriteColours(Storage, "d/train.tar", Splits.Train, samples: 8, width: 70);
        File.Delete(Blob("datasets/d/train.tar"));
        var result = await RunAsync(Job with { Shards = [train, Job.Shards[1]] });
        Assert.Equal("The shard d/train.tar is gone; ingest the dataset again.", result.Error);
    }

    [Fact]
    public async Task A_cancelled_run_stops_and_writes_no_result()
    {
        using var stop = new CancellationTokenSource();
        var atTraining = new Progress<Heartbeat>(beat =>
        {
            if (beat.Phase == "training") stop.Cancel();
        });
        var endless = Job with { Settings = Job.Settings with { MaxSteps = null, Epochs = 100_000 } };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(endless, atTraining, stop.Token));
        Assert.False(File.Exists(Blob("runs/r1/result.json")));
        Assert.True(File.Exists(Blob("runs/r1/heartbeat.json")));
    }

    private Task<TrainingResult> RunAsync(
        TrainingJob job, IProgress<Heartbeat>? progress = null, CancellationToken cancellationToken = default)
    {
        var options = new TrainingJobRunnerOptions
        {
            WorkFolder = Path.Combine(_root, "work", Guid.NewGuid().ToString("N")),
            HeartbeatInterval = TimeSpan.FromMilliseconds(50),
        };
        return new TrainingJobRunner(_store, options, TimeProvider.System, NullLogger<TrainingJobRunner>.Instance, progress)
            .RunAsync(job, cancellationToken);
    }

    private List<EvaluatedAnswer> Answers(string run) => [.. File.ReadLines(Blob($"runs/{run}/predictions.jsonl"))
        .Select(line => JsonSerializer.Deserialize<EvaluatedAnswer>(line, PipelineJson.Compact)!)];

    private T Read<T>(string name) => JsonSerializer.Deserialize<T>(File.ReadAllBytes(Blob(name)), PipelineJson.Options)!;

    private string Blob(string name) => Path.Combine(Storage, name);
}

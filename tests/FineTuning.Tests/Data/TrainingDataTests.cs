using System.Runtime.CompilerServices;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class TrainingDataTests : IDisposable
{
    private static readonly RowBuilder Rows = new(SmallModel.Tokenizer, new ServingSettings());
    private static readonly ImageProcessor Processor = new(numCrops: 4);

    private readonly string _root = Directory.CreateTempSubdirectory("plan-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Samples_are_planned_by_what_they_are_used_for_with_their_tokens()
    {
        var data = Plan(5000, Index(Splits.Train, (60, 60), (300, 100)), Index(Splits.Test, (60, 60)), Index(Splits.Validation, (60, 60)));
        Assert.Equal((2, 1, 1, 0), (data.Training.Count, data.Validation.Count, data.Test.Count, data.Dropped));
        Assert.Equal(
            [
                Rows.Row([757], data.Training[0].Answer).Ids.Length,
                Rows.Row([Processor.Tokens(300, 100)], data.Training[1].Answer).Ids.Length,
            ],
            data.Training.Select(sample => sample.Tokens));
    }

    [Fact]
    public void Samples_that_are_too_long_are_left_out_as_a_whole_and_counted()
    {
        var all = Plan(5000, Index(Splits.Train, (60, 60), (600, 100)), Index(Splits.Validation, (600, 100), (60, 60)));
        Assert.True(all.Training[1].Tokens < all.Training[0].Tokens);
        var fitting = Plan(
            all.Training[1].Tokens, Index(Splits.Train, (60, 60), (600, 100)), Index(Splits.Validation, (600, 100), (60, 60)));
        Assert.Equal([all.Training[1]], fitting.Training);
        Assert.Equal([all.Validation[0]], fitting.Validation);
        Assert.Equal(2, fitting.Dropped);
    }

    [Fact]
    public void Samples_whose_answers_read_as_others_are_counted()
    {
        string[] titles = ["Hat, Category", "Hat, Category: Hats", "a, Category: b"];
        var shard = TarShard.WriteIndex(_root, "titled.tar", Splits.Train, titles.Select((title, i) =>
            Sample($"train-{i}", 60, 60) with { Labels = new SampleLabels($"train-{i}", "00", title, "Hats", null) }));
        var data = Plan(5000, shard, Index(Splits.Validation, (60, 60)));
        Assert.Equal((3, 2, "train-1, field title"), (data.Training.Count, data.Misread, data.FirstMisread));
    }

    [Fact]
    public void Nothing_left_says_what_to_do()
    {
        var failure = Assert.Throws<TrainingException>(() => Plan(300, Index(Splits.Train, (60, 60)), Index(Splits.Validation, (60, 60))));
        Assert.StartsWith("Every training sample is longer than 300 tokens; the shortest takes ", failure.Message);
        Assert.Contains("Lower training.numCrops, or raise training.maxTokens", failure.Message);
        var none = Assert.Throws<TrainingException>(() => Plan(5000, Index(Splits.Train, (60, 60))));
        Assert.Equal("The dataset has no usable validation samples; raise dataset.validationFraction.", none.Message);
    }

    [Fact]
    public void An_image_that_the_processor_cannot_take_is_a_clear_error()
    {
        var failure = Assert.Throws<TrainingException>(() => Plan(5000, Index(Splits.Train, (20_000, 1))));
        Assert.Contains("20000×1 pixels is too thin", failure.Message);
    }

    [Fact]
    public void A_sample_takes_the_tokens_of_all_its_images()
    {
        var shard = TarShard.WriteIndex(_root, "two.tar", Splits.Train,
            [Sample("train-0", 60, 60) with { MoreImages = [new ShardImage("01", 300, 100, 1, 1), new ShardImage("02", 60, 60, 2, 1)] }]);
        var data = Plan(5000, shard, Index(Splits.Validation, (60, 60)));
        var sample = Assert.Single(data.Training);
        Assert.Equal(["00", "01", "02"], sample.Images.Select(image => image.Sha256));
        Assert.Equal(Rows.Row([757, Processor.Tokens(300, 100), 757], sample.Answer).Ids.Length, sample.Tokens);
        // Four crops and the global view of each square, three crops and the global view of the wide one.
        Assert.Equal(3 * 5 + 4, data.Views);
    }

    private TrainingData Plan(int maxTokens, params ShardInfo[] shards) => TrainingData.Plan(
        ShardIndex.ReadAsync(new LocalRunStore(_root), shards, Path.Combine(_root, Guid.NewGuid().ToString("N")), default).Result,
        Rows, Processor, maxTokens);

    private ShardInfo Index(string split, params (int Width, int Height)[] sizes) => TarShard.WriteIndex(
        _root, $"{split}.tar", split, sizes.Select((size, i) => Sample($"{split}-{i}", size.Width, size.Height)));

    private static ShardSample Sample(string key, int width, int height) =>
        new(new SampleLabels(key, "00", null, "Hats", null), width, height, 0, 1);
}

/// <summary>The memory is the process's, so that nothing may run beside this test.</summary>
[Collection(nameof(TrainingJobRunnerTests))]
public sealed class SampleMemoryTests : IDisposable
{
    private const int Count = 100_000;

    private readonly string _root = Directory.CreateTempSubdirectory("memory-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Memory_holds_20_bytes_of_a_sample()
    {
        // Few words: the tokenizer keeps 65,536 of them.
        var samples = Enumerable.Range(0, Count).Select(i => new ShardSample(
            new SampleLabels($"train-{i}", $"{i:x64}", $"A title of the usual length, number {i % 100}", "Hats", i % 100), 60, 60, i, 1));
        ShardInfo[] shards =
        [
            TarShard.WriteIndex(_root, "many.tar", Splits.Train, samples),
            TarShard.WriteIndex(_root, "one.tar", Splits.Validation, samples.Take(1)),
        ];
        var held = new List<SampleOrder>();
        Plan(shards, held);

        // Memory is measured with the samples and, at once, without them: that of earlier tests may be freed at any other time.
        var with = GC.GetTotalMemory(forceFullCollection: true);
        held.Clear();
        Assert.InRange((double)(with - GC.GetTotalMemory(forceFullCollection: true)) / Count, 15, 25);
    }

    // A method of its own: no variable of the test refers to what it makes.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Plan(ShardInfo[] shards, List<SampleOrder> held)
    {
        var indexes = ShardIndex.ReadAsync(new LocalRunStore(_root), shards, Path.Combine(_root, "indexes"), default).Result;
        var (rows, processor) = (new RowBuilder(SmallModel.Tokenizer, new ServingSettings()), new ImageProcessor(numCrops: 4));
        held.Add(new SampleOrder(TrainingData.Plan(indexes, rows, processor, maxTokens: 5000).Training, seed: 1));
        Assert.Equal(Count, held[0].Batches(1000, 0, Count).SelectMany(batch => batch).DistinctBy(sample => sample.Labels.Key).Count());
    }
}

public sealed class ShardIndexTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("index-").FullName;
    private readonly LocalRunStore _store;
    private readonly ShardInfo _shard;

    public ShardIndexTests()
    {
        _store = new LocalRunStore(_root);
        _shard = TarShard.WriteColours(_root, "d/train-00000.tar", Splits.Train, samples: 3, width: 80, height: 50);
    }

    private Task<IReadOnlyList<ShardIndex>> ReadAsync() =>
        ShardIndex.ReadAsync(_store, [_shard], Path.Combine(_root, "indexes"), default);

    private string IndexFile => Path.Combine(_root, Containers.Datasets, "d/train-00000.jsonl");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Samples_are_listed_without_their_shard()
    {
        File.Delete(Path.Combine(_root, Containers.Datasets, _shard.Blob));
        var index = Assert.Single(await ReadAsync());
        Assert.Equal(_shard, index.Shard);
        Assert.Equal(["train-0", "train-1", "train-2"], index.Samples.Select(sample => sample.Labels.Key));
        Assert.All(index.Samples, sample => Assert.Equal((80, 50), (sample.Width, sample.Height)));
    }

    [Fact]
    public async Task A_missing_index_is_named()
    {
        File.Delete(IndexFile);
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ReadAsync());
        Assert.Equal("The shard index d/train-00000.jsonl is gone; ingest the dataset again.", failure.Message);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"labels": {"key": "a", "sha256": "00"}, "width": 0, "height": 5, "offset": 512, "length": 5}""")]
    public async Task A_damaged_line_is_named(string line)
    {
        File.AppendAllText(IndexFile, line + "\n");
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ReadAsync());
        Assert.StartsWith("Line 4 of the shard index d/train-00000.jsonl is not what it should be:", failure.Message);
    }

    [Fact]
    public async Task An_index_that_is_cut_off_is_named()
    {
        File.WriteAllLines(IndexFile, File.ReadLines(IndexFile).Take(2).ToList());
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ReadAsync());
        Assert.Contains("lists 2 of 3 samples", failure.Message);
    }
}

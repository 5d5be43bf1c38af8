using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class BatchReaderTests : IAsyncLifetime
{
    private static readonly RowBuilder Rows = new(SmallModel.Tokenizer, new ServingSettings());
    private static readonly ImageProcessor Processor = new(numCrops: 1);

    private readonly string _root = Directory.CreateTempSubdirectory("batches-").FullName;
    private ShardCache _shards = null!;
    private BatchReader _reader = null!;
    private IReadOnlyList<Sample> _samples = [];

    public async Task InitializeAsync()
    {
        var shards = Enumerable.Range(0, 2).Select(i => TarShard.WriteColours(_root, $"{i}.tar", Splits.Train, samples: 5, width: 90 + i)).ToList();
        var validation = TarShard.WriteColours(_root, "v.tar", Splits.Validation, samples: 1);
        var store = new FolderRunStore(_root);
        _samples = TrainingData.Plan(await ShardIndex.ReadAsync(store, [.. shards, validation], default), Rows, Processor, 1000).Training;
        _shards = new ShardCache(store, Path.Combine(_root, "disk"), long.MaxValue);
        _reader = new BatchReader(new ImageSource(_shards, Processor, cacheBytes: 0), Rows, padding: 0);
    }

    public async Task DisposeAsync()
    {
        await _shards.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void Batches_come_in_order_in_the_sizes_that_are_given()
    {
        var batches = _reader.Read(_samples.Chunk(4).SelectMany(batch => batch.Chunk(3)), augmentation: null, default).ToList();
        Assert.Equal([3, 1, 3, 1, 2], batches.Select(batch => batch.Rows));
        Assert.Equal(_samples.Take(3).Sum(sample => sample.Tokens), batches[0].Tokens);
    }

    [Fact]
    public void A_run_that_goes_on_draws_the_augmentation_that_it_would_have_drawn()
    {
        float[][] Pixels(int start) => [.. _reader.Read(_samples.Skip(start).Chunk(2), (7, start), default).Select(Sums)];
        Assert.Equal(Pixels(0)[2..], Pixels(4));
        Assert.NotEqual(Pixels(0)[2..], [.. _reader.Read(_samples.Skip(4).Chunk(2), (7, 0L), default).Select(Sums)]);
    }

    [Fact]
    public void Images_come_without_rows_for_whoever_needs_nothing_else()
    {
        var images = _reader.Images(_samples.Chunk(4), default).SelectMany(batch => batch).ToList();
        Assert.Equal(_samples, images.Select(image => image.Sample));
        Assert.All(images, image => Assert.Equal((2, 336, 336), (image.Image.Views, image.Image.Height, image.Image.Width)));
    }

    [Fact]
    public void An_index_that_does_not_fit_its_images_is_named()
    {
        var wrong = _samples[0] with { Tokens = _samples[0].Tokens + 144 };
        var failure = Assert.Throws<TrainingException>(() => _reader.Read([[wrong]], augmentation: null, default).ToList());
        Assert.Equal("The index of the shard 0.tar does not fit the image of train-0; ingest the dataset again.", failure.Message);
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_named()
    {
        var wrong = _samples[0] with { Content = _samples[0].Content with { Offset = 0 } };
        var failure = Assert.Throws<TrainingException>(() => _reader.Read([[wrong]], augmentation: null, default).ToList());
        Assert.StartsWith("The image of train-0 cannot be read: not-an-image", failure.Message);
    }

    private static float[] Sums(TrainingBatch batch)
    {
        using var scope = NewDisposeScope();
        return batch.Input(CPU).PixelValues!.sum([-1]).data<float>().ToArray();
    }
}

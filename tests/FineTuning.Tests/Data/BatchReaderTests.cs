using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests.Data;

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
        var shards = Enumerable.Range(0, 2)
            .Select(i => TarShard.WriteColours(_root, $"{i}.tar", Splits.Train, samples: 5, width: 90 + i))
            .ToList();
        var validation = TarShard.WriteColours(_root, "v.tar", Splits.Validation, samples: 1);
        var store = new LocalRunStore(_root);
        var indexes = await ShardIndex.ReadAsync(store, [.. shards, validation], Path.Combine(_root, "indexes"), default);
        _samples = [.. TrainingData.Plan(indexes, Rows, Processor, 1000).Training];
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_sample_of_several_images_has_the_loss_of_a_batch_made_by_hand(bool packing)
    {
        var answer = new SampleLabels("train-0", "", null, "Hats", null);
        byte[][] files = [TarShard.Png(60, 90, new Rgb24(200, 0, 0)), TarShard.Png(60, 90, new Rgb24(0, 0, 200))];
        var (samples, reader) = await OpenAsync([(answer, 60, 90, files), (answer with { Key = "train-1" }, 60, 90, files[1..])], packing);

        ProcessedImage[] images = [.. files.Select(file =>
        {
            using var image = ImageReader.Read(file);
            return Processor.Process(image);
        })];
        var truth = new Answer(null, "Hats", null);
        var byHand = new TrainingBatch(
            [(Rows.Row([313, 313], truth), images), (Rows.Row([313], truth), [images[1]])], padding: 0, packing: packing);
        var read = reader.Read([samples], augmentation: null, default).Single();

        using var scope = NewDisposeScope();
        using var model = new Phi3VisionModel(SmallModel.Config);
        Initializer.Initialize(model, seed: 1);
        var loss = new AnswerLoss(model, CPU);
        Assert.Equal(loss.Sum(byHand), loss.Sum(read));
        Assert.Equal([3, 2, 3, 336, 336], read.Input(CPU).PixelValues!.shape);
        var swapped = new TrainingBatch(
            [(Rows.Row([313, 313], truth), [images[1], images[0]]), (Rows.Row([313], truth), [images[1]])], padding: 0, packing: packing);
        Assert.NotEqual(loss.Sum(swapped), loss.Sum(read));
        var prompts = reader.Prompts(samples);
        Assert.Equal([2, 3], [prompts.Rows, prompts.Input(CPU).ImageSizes!.shape[0]]);
    }

    [Fact]
    public async Task Each_image_of_a_sample_is_augmented_by_itself_and_again_the_same()
    {
        var image = NoiseImage.Png(60, seed: 3);
        var (samples, reader) = await OpenAsync([.. Enumerable.Range(0, 4).Select(i =>
            (new SampleLabels($"train-{i}", "", null, "Hats", null), 60, 60, new[] { image, image }))]);
        float[][] Pixels(int start) => [.. reader.Read(samples.Skip(start).Chunk(1), (7, start), default).Select(Sums)];
        Assert.All(Pixels(0), sums => Assert.NotEqual(sums[..(sums.Length / 2)], sums[(sums.Length / 2)..]));
        Assert.Equal(Pixels(0)[2..], Pixels(2));
    }

    [Fact]
    public void Images_come_without_rows_for_whoever_needs_nothing_else()
    {
        var images = _reader.Images(_samples.Chunk(4), default).SelectMany(batch => batch).ToList();
        Assert.Equal(_samples.Select(sample => sample.Images[0]), images.Select(image => image.Stored));
        Assert.All(images, image => Assert.Equal((2, 336, 336), (image.Image.Views, image.Image.Height, image.Image.Width)));
    }

    [Fact]
    public void An_index_that_does_not_fit_its_images_is_named()
    {
        var wrong = _samples[0] with { Tokens = _samples[0].Tokens + 144 };
        var failure = Assert.Throws<TrainingException>(() => _reader.Read([[wrong]], augmentation: null, default).ToList());
        Assert.Equal("The index of the shard 0.tar does not fit the images of train-0; ingest the dataset again.", failure.Message);
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_named()
    {
        var wrong = _samples[0] with { Content = _samples[0].Content with { Offset = 0 } };
        var failure = Assert.Throws<TrainingException>(() => _reader.Read([[wrong]], augmentation: null, default).ToList());
        Assert.StartsWith("An image of train-0 cannot be read: not-an-image", failure.Message);
    }

    private async Task<(IReadOnlyList<Sample> Samples, BatchReader Reader)> OpenAsync(
        IReadOnlyList<(SampleLabels Labels, int Width, int Height, byte[][] Images)> samples, bool packing = false)
    {
        var store = new LocalRunStore(_root);
        ShardInfo[] shards =
        [
            TarShard.Write(_root, "several.tar", Splits.Train, samples),
            TarShard.WriteColours(_root, "v.tar", Splits.Validation, samples: 1),
        ];
        var indexes = await ShardIndex.ReadAsync(store, shards, Path.Combine(_root, "several"), default);
        var training = TrainingData.Plan(indexes, Rows, Processor, maxTokens: 1000).Training;
        return ([.. training], new BatchReader(new ImageSource(_shards, Processor, cacheBytes: 0), Rows, padding: 0, packing));
    }

    private static float[] Sums(TrainingBatch batch)
    {
        using var scope = NewDisposeScope();
        return batch.Input(CPU).PixelValues!.sum([-1]).data<float>().ToArray();
    }
}

public sealed class AugmentationTests
{
    private const int Side = 336;

    // A black pixel on white.
    private static readonly PaddedImage Image = Draw(100, 200);

    [Theory]
    [InlineData(false, 0, 0, 100, 200)]
    [InlineData(true, 0, 0, 235, 200)]
    [InlineData(false, 0.05, -0.05, 117, 183)]
    [InlineData(true, -0.05, 0.05, 218, 217)]
    public void An_image_is_mirrored_and_shifted_and_the_rest_is_white(bool mirrored, double right, double down, int x, int y) =>
        Assert.Equal(Draw(x, y).Rgb, new Augmentation(mirrored, right, down).Apply(Image).Rgb);

    [Fact]
    public void Half_of_the_images_are_mirrored_and_shifts_spread_over_a_twelfth_each_way()
    {
        var drawn = Enumerable.Range(0, 1000).Select(i => Augmentation.Of(seed: 1, position: i)).ToList();
        Assert.InRange(drawn.Count(a => a.Mirrored), 440, 560);
        foreach (var shifts in new[] { drawn.Select(a => a.Right), drawn.Select(a => a.Down) })
        {
            Assert.InRange(shifts.Min(), -1 / 12.0, -0.08);
            Assert.InRange(shifts.Max(), 0.08, 1 / 12.0);
            Assert.InRange(shifts.Average(), -0.01, 0.01);
        }
    }

    [Fact]
    public void The_seed_and_the_place_in_the_run_decide()
    {
        Assert.Equal(Augmentation.Of(1, 500), Augmentation.Of(1, 500));
        Assert.NotEqual(Augmentation.Of(1, 500), Augmentation.Of(2, 500));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(i => Augmentation.Of(1, i)).Distinct().Count());
    }

    private static PaddedImage Draw(int x, int y)
    {
        var rgb = new byte[Side * Side * 3];
        Array.Fill(rgb, (byte)255);
        rgb.AsSpan((y * Side + x) * 3, 3).Clear();
        return new PaddedImage(rgb, Side, Side);
    }
}

/// <summary>Shards hold the files as they came, so what a model learns from must be what it is asked about later.</summary>
public sealed class TrainedAndServedPixelsTests : IDisposable
{
    private static readonly Rgb24 Red = new(200, 30, 30);
    private static readonly Rgb24 Blue = new(30, 30, 200);
    private static readonly ImageProcessor Processor = new(numCrops: 4);

    private readonly string _root = Directory.CreateTempSubdirectory("pixels-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_photograph_that_lies_on_its_side_is_learned_and_asked_about_upright()
    {
        const int quarterTurnClockwise = 6;
        using var upright = Halves(64, 128, (_, y) => y < 64);
        using var lying = Halves(128, 64, (x, _) => x < 64);
        using var file = new MemoryStream();
        lying.SaveAsJpeg(file, new JpegEncoder { Quality = 95, ColorType = JpegColorType.YCbCrRatio444 });
        await AssertLearnedAsServed(WithOrientation(file.ToArray(), quarterTurnClockwise), upright, tolerance: 0.05f);
    }

    [Fact]
    public async Task A_cut_out_product_is_learned_and_asked_about_on_white()
    {
        using var onWhite = new Image<Rgb24>(60, 90, new Rgb24(255, 255, 255));
        using var cutOut = new Image<Rgba32>(60, 90, new Rgba32(7, 7, 7, 0));
        for (var y = 20; y < 70; y++)
        {
            for (var x = 10; x < 50; x++)
                (onWhite[x, y], cutOut[x, y]) = (Red, new Rgba32(Red.R, Red.G, Red.B));
        }
        using var file = new MemoryStream();
        cutOut.SaveAsPng(file);
        await AssertLearnedAsServed(file.ToArray(), onWhite, tolerance: 0);
    }

    private async Task AssertLearnedAsServed(byte[] file, Image<Rgb24> shown, float tolerance)
    {
        var header = ImageReader.Identify(file);
        Assert.Equal((shown.Width, shown.Height), (header.Width, header.Height));
        var learned = await LearnedAsync(file, header);
        using var served = ImageReader.Read(file);
        var asked = Processor.Process(served);
        Assert.Equal(asked.PixelValues, learned.PixelValues);
        Assert.Equal(Processor.Tokens(header.Width, header.Height), learned.Tokens);
        var expected = Processor.Process(shown).PixelValues;
        Assert.Equal(expected.Length, asked.PixelValues.Length);
        Assert.InRange(expected.Zip(asked.PixelValues, (a, b) => MathF.Abs(a - b)).Max(), 0, tolerance);
    }

    private async Task<ProcessedImage> LearnedAsync(byte[] file, ImageHeader header)
    {
        var sample = (new SampleLabels("train-0", "00", null, "Hats", null), header.Width, header.Height, file);
        var rows = new RowBuilder(SmallModel.Tokenizer, new ServingSettings());
        var store = new LocalRunStore(_root);
        var index = await ShardIndex.ReadAsync(
            store,
            [
                TarShard.Write(_root, "t.tar", Splits.Train, [sample]),
                TarShard.Write(_root, "v.tar", Splits.Validation, [sample]),
            ],
            Path.Combine(_root, "indexes"), default);
        var samples = TrainingData.Plan(index, rows, Processor, maxTokens: 4000).Training;
        await using var shards = new ShardCache(store, Path.Combine(_root, "disk"), long.MaxValue);
        var reader = new BatchReader(new ImageSource(shards, Processor, cacheBytes: 0), rows, padding: 0);
        return reader.Images([samples], default).Single().Single().Image;
    }

    private static Image<Rgb24> Halves(int width, int height, Func<int, int, bool> isRed)
    {
        var image = new Image<Rgb24>(width, height);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++) image[x, y] = isRed(x, y) ? Red : Blue;
        return image;
    }

    private static byte[] WithOrientation(byte[] jpeg, byte orientation)
    {
        byte[] exif = [.. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
        return [.. jpeg[..2], 0xFF, 0xE1, 0, (byte)(exif.Length + 2), .. exif, .. jpeg[2..]];
    }
}

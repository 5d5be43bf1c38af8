using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.FineTuning;

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
            for (var x = 10; x < 50; x++)
                (onWhite[x, y], cutOut[x, y]) = (Red, new Rgba32(Red.R, Red.G, Red.B));
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
        var store = new FolderRunStore(_root);
        var index = await ShardIndex.ReadAsync(
            store, [TarShard.Write(_root, "t.tar", Splits.Train, [sample]), TarShard.Write(_root, "v.tar", Splits.Validation, [sample])], default);
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

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Images;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class TensorBoardLogTests : IDisposable
{
    private static readonly TrainingJob Job = new()
    {
        Run = "r1",
        BaseModel = "base",
        OutputModel = "out",
        Shards = [],
        Settings = new TrainingSettings { LearningRate = 0.002 },
    };

    private readonly string _root = Directory.CreateTempSubdirectory("tensorboard-test-").FullName;
    private readonly LocalRunStore _store;

    public TensorBoardLogTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Scalars_and_settings_arrive_as_they_are_flushed_while_the_file_goes_on()
    {
        var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        await log.FlushAsync(default);
        Assert.Empty(Files());

        log.Record(Line(1, 3.5));
        await log.FlushAsync(default);
        var events = Events();
        Assert.Equal("brain.Event:2", events[0].Text);
        Assert.Equal("settings/text_summary", events[1].Tag);
        Assert.Contains("| learningRate | 0.002 |", events[1].Text);
        Assert.Contains("| lora.rank | 16 |", events[1].Text);
        Assert.Equal(
            [("train/loss", 1, 3.5f), ("train/learning_rate", 1, 0.5f)],
            events.Skip(2).Select(e => (e.Tag!, (int)e.Step, e.Value!.Value)));
        Assert.All(events, e => Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0 - e.At, 0, 60));

        log.Record(Line(300, double.NaN) with
        {
            LearningRate = null,
            Validation = new EvaluationMetrics
            {
                Loss = 2,
                Samples = 4,
                TitleF1 = 0.25,
                Fields = new Dictionary<string, FieldMetrics>
                {
                    ["weight"] = new(FieldKind.Number, "g", 4, new FieldFigures { MedianError = 8, WithinTenPercent = 0.5 }),
                },
            },
        });
        var test = new EvaluationMetrics { Loss = 1, Samples = 4 };
        await log.EndAsync(new TrainingResult { Run = "r1", Succeeded = true, Steps = 301, Test = test }, default);
        await log.FlushAsync(default);
        Assert.Equal(
            [
                ("validation/loss", 300, 2), ("validation/title_f1", 300, 0.25f), ("validation/fields/weight/median_error", 300, 8),
                ("validation/fields/weight/within_ten_percent", 300, 0.5f), ("test/loss", 301, 1),
            ],
            Events().Skip(4).Select(e => (e.Tag!, (int)e.Step, e.Value!.Value)));
    }

    [Fact]
    public async Task What_could_not_be_stored_is_stored_the_next_time()
    {
        var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        log.Record(Line(1, 1));
        var obstacle = Path.Combine(_root, "runs");
        File.WriteAllText(obstacle, "in the way");
        await Assert.ThrowsAnyAsync<IOException>(() => log.FlushAsync(default));
        File.Delete(obstacle);
        await log.FlushAsync(default);
        await log.FlushAsync(default);
        Assert.Equal(4, Events().Count);
    }

    [Fact]
    public async Task Each_attempt_has_a_file_and_the_next_one_cuts_those_before_to_its_checkpoint()
    {
        foreach (var first in new[] { 1, 2 })
        {
            var log = new TensorBoardLog(_store, Job, TimeProvider.System);
            await log.CutAsync(first - 1, default);
            foreach (var step in new[] { first, first + 1, first + 299 }) log.Record(Line(step, step));
            await log.FlushAsync(default);
        }
        Assert.Equal(2, Files().Count);
        var steps = Files().SelectMany(file => EventFile.Read(File.ReadAllBytes(file)))
            .Where(e => e.Tag == "train/loss").Select(e => e.Step);
        Assert.Equal([1, 2, 3, 301], steps.Order());

        var next = new TensorBoardLog(_store, Job, TimeProvider.System);
        await next.CutAsync(null, default);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task The_gallery_has_its_images_once_and_its_answers_at_every_step()
    {
        var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        var image = TarShard.Png(600, 300, new Rgb24(200, 0, 0));
        foreach (var step in new[] { 0, 10 })
        {
            var sample = new GalleryEntry("a.png", image, "Hat | red", $"Coat {step}", new Confidence(0.5, null, null, null));
            log.Record(new GalleryStep(step, [sample]));
        }
        await log.FlushAsync(default);
        var events = Events().Skip(2).ToList();
        Assert.Equal(["gallery/text_summary", "gallery/a.png", "gallery/text_summary"], events.Select(e => e.Tag));
        Assert.Contains("| a.png | Hat \\| red | Coat 10 | 0.50 |", events[2].Text);
        Assert.Equal((0, 10), (events[1].Step, events[2].Step));
        Assert.Equal((256, 128), (events[1].Image!.Value.Width, events[1].Image!.Value.Height));
        var header = ImageReader.Identify(events[1].Image!.Value.Content);
        Assert.Equal((256, 128, ImageFormat.Jpeg), (header.Width, header.Height, header.Format));
    }

    [Fact]
    public async Task An_evaluation_has_histograms_of_its_samples()
    {
        var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        log.Record(new EvaluationStep(10, Splits.Validation,
        [
            Answered("red hat", 100, "red hat", 100, confidence: 1),
            Answered("red hat", 100, "hat", 99, confidence: 0.52),
            Answered("red hat", 100, null, null, confidence: 0.97),
            Answered(null, 0, null, null, confidence: 0.97),
        ]));
        log.Record(new EvaluationStep(10, Splits.Test, [Answered(null, 0, null, null, confidence: 0)]));
        await log.FlushAsync(default);
        var events = Events().Skip(2).ToList();
        Assert.Equal(
            [
                "validation/samples/confidence", "validation/samples/price_percent_error", "validation/samples/title_f1",
                "test/samples/confidence",
            ],
            events.Select(e => e.Tag));
        var confidence = events[0].Histogram!;
        Assert.Equal((0.52, 1, 4), (confidence.Min, confidence.Max, confidence.Count));
        Assert.Equal(0.52 + 1 + 0.97 * 2, confidence.Sum, 1e-12);
        Assert.Equal(0.52 * 0.52 + 1 + 0.97 * 0.97 * 2, confidence.SumOfSquares, 1e-12);
        Assert.Equal([0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1], confidence.Limits);
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 0, 0, 3], confidence.Buckets);
        Assert.Equal([1, 2, 5, 10, 20, 50, 100, 200], events[1].Histogram!.Limits);
        Assert.Equal([1, 1, 0, 0, 0, 0, 0, 1], events[1].Histogram!.Buckets);
        Assert.Equal(1 + 2.0 / 3, events[2].Histogram!.Sum, 1e-12);
    }

    private static EvaluatedAnswer Answered(string? title, double price, string? answered, double? answeredPrice, double confidence) =>
        new(EvaluatedAnswer.BaseModel, Splits.Validation, new SampleLabels("k", "00", title, null, price), "",
            new Confidence(confidence, null, null, null)) { Title = answered, Price = answeredPrice };

    private static MetricsLine Line(int step, double loss) =>
        new() { Step = step, Epoch = 0, Seconds = 0, Loss = loss, LearningRate = 0.5 };

    private IReadOnlyList<EventFile.Event> Events() => EventFile.Read(File.ReadAllBytes(Files().Single()));

    private List<string> Files()
    {
        var folder = Path.Combine(_root, "runs/r1/tensorboard");
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder)] : [];
    }
}

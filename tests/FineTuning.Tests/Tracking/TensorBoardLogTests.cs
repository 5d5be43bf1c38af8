using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;

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
        await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
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
        Assert.All(events.Skip(1), e => Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - e.At, 0, 60));

        log.Record(Line(300, double.NaN) with
        {
            LearningRate = null,
            Validation = new EvaluationMetrics { Loss = 2, Samples = 4, TitleF1 = 0.25 },
        });
        var test = new EvaluationMetrics { Loss = 1, Samples = 4 };
        await log.EndAsync(new TrainingResult { Run = "r1", Succeeded = true, Steps = 301, Test = test }, default);
        await log.FlushAsync(default);
        Assert.Equal([("validation/loss", 300, 2), ("validation/title_f1", 300, 0.25f), ("test/loss", 301, 1)],
            Events().Skip(4).Select(e => (e.Tag!, (int)e.Step, e.Value!.Value)));
    }

    [Fact]
    public async Task What_could_not_be_stored_is_stored_the_next_time()
    {
        await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
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
            await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
            await log.CutAsync(first - 1, default);
            foreach (var step in new[] { first, first + 1, first + 299 }) log.Record(Line(step, step));
            await log.FlushAsync(default);
        }
        Assert.Equal(2, Files().Count);
        var steps = Files().SelectMany(file => EventFile.Read(File.ReadAllBytes(file)))
            .Where(e => e.Tag == "train/loss").Select(e => e.Step);
        Assert.Equal([1, 2, 3, 301], steps.Order());

        await using var next = new TensorBoardLog(_store, Job, TimeProvider.System);
        await next.CutAsync(null, default);
        Assert.Empty(Files());
    }

    private static MetricsLine Line(int step, double loss) =>
        new() { Step = step, Epoch = 0, Seconds = 0, Loss = loss, LearningRate = 0.5 };

    private IReadOnlyList<EventFile.Event> Events() => EventFile.Read(File.ReadAllBytes(Files().Single()));

    private List<string> Files()
    {
        var folder = Path.Combine(_root, "runs/r1/tensorboard");
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder)] : [];
    }
}

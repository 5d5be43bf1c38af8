using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests;

public sealed class RunCheckpointsTests : IDisposable
{
    private static readonly TrainingJob Job = new()
    {
        Run = "r1",
        Shards = [],
        BaseModel = "base",
        OutputModel = "r1-model",
        Settings = new TrainingSettings { KeepCheckpoints = 2 },
    };

    private readonly string _root = Directory.CreateTempSubdirectory("checkpoints-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task The_newest_are_kept_and_the_best()
    {
        var checkpoints = Checkpoints();
        await WriteAsync(checkpoints, State(1));
        foreach (var step in new[] { 2, 3, 4, 5 }) await WriteAsync(checkpoints, State(step) with { BestStep = 2, BestLoss = 0.1 });
        Assert.Equal(
            ["00000002", "00000004", "00000005"],
            Directory.GetDirectories(Blob("")).Where(HasFiles).Select(Path.GetFileName).Order());
        var latest = await Checkpoints().LatestAsync(CancellationToken.None);
        Assert.Equal(5, latest!.Value.State.Step);
        Assert.Equal("weights of 5", File.ReadAllText(Path.Combine(latest.Value.Folder, "weights")));
        Assert.Equal("weights of 2", File.ReadAllText(Path.Combine(await checkpoints.FolderAsync(2, CancellationToken.None), "weights")));
    }

    [Fact]
    public async Task The_state_comes_back_as_it_was()
    {
        var state = State(7) with
        {
            Samples = 28,
            Seconds = 1.25,
            WarmupEndSeconds = 0.5,
            Loss = 0.3,
            Validated = 3,
            BestLoss = 0.2,
            BestStep = 6,
            SinceBest = 1,
        };
        await WriteAsync(Checkpoints(), state);
        Assert.Equal(state, (await Checkpoints().LatestAsync(CancellationToken.None))!.Value.State);
    }

    [Theory]
    [InlineData("complete.json", null)]
    [InlineData("weights", null)]
    [InlineData("weights", "weights of another")]
    public async Task One_that_is_not_whole_is_passed_over_and_removed(string file, string? content)
    {
        await WriteAsync(Checkpoints(), State(3));
        await WriteAsync(Checkpoints(), State(6));
        var path = Blob($"00000006/{file}");
        if (content is null) File.Delete(path);
        else File.WriteAllText(path, content);
        Assert.Equal(3, (await Checkpoints().LatestAsync(CancellationToken.None))!.Value.State.Step);
        Assert.False(HasFiles(Blob("00000006")));
    }

    [Fact]
    public async Task None_is_there_at_first() => Assert.Null(await Checkpoints().LatestAsync(CancellationToken.None));

    [Fact]
    public async Task Those_of_another_job_are_refused_with_the_way_out()
    {
        await WriteAsync(Checkpoints(), State(3));
        var other = Checkpoints(Job with { Settings = Job.Settings with { Seed = 7 } });
        var error = await Assert.ThrowsAsync<TrainingException>(() => other.LatestAsync(CancellationToken.None));
        Assert.Contains("another id, or remove runs/r1/checkpoints/", error.Message, StringComparison.Ordinal);
    }

    private RunCheckpoints Checkpoints(TrainingJob? job = null) =>
        new(new LocalRunStore(_root), job ?? Job, Path.Combine(_root, "local"), _ => Task.CompletedTask, NullLogger.Instance);

    private TrainingState State(int step) =>
        new() { Step = step, Base = new EvaluationMetrics { Loss = 3, Samples = 4 }, Job = Checkpoints().Job };

    private static Task WriteAsync(RunCheckpoints checkpoints, TrainingState state)
    {
        checkpoints.Write(state, folder => File.WriteAllText(Path.Combine(folder, "weights"), $"weights of {state.Step}"));
        return checkpoints.FlushAsync();
    }

    private string Blob(string name) => Path.Combine(_root, "runs", "r1", "checkpoints", name);

    private static bool HasFiles(string folder) => Directory.Exists(folder) && Directory.EnumerateFiles(folder).Any();
}

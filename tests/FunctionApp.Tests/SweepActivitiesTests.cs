using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Sweeps;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class SweepActivitiesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private const string Sweep = "lr";
    private static readonly PrunedTraining Worse = new("it was worse", 20, 2);

    private readonly StoppableJobs _jobs = new();

    private RunDocumentStore Store => new(azurite.Blobs, TimeProvider.System);

    private RunIndex Index => new(azurite.Blobs);

    private SweepActivities Activities => new(_jobs, Store, Index, NullLogger<SweepActivities>.Instance);

    public async Task InitializeAsync() => await azurite.Blobs.GetBlobContainerClient(Containers.Runs).CreateIfNotExistsAsync();

    public async Task DisposeAsync() => await azurite.Blobs.GetBlobContainerClient(Containers.Runs).DeleteIfExistsAsync();

    [Fact]
    public async Task A_run_is_entered_once_with_the_runs_of_requests_unless_its_sweep_was_cancelled()
    {
        var input = new AcceptRunInput(Samples.Request with { Run = "lr.01" }, new DateTime(2026, 5, 1, 0, 0, 0, DateTimeKind.Utc));
        await Activities.AcceptRun(input, default);
        await Activities.AcceptRun(input, default);
        Assert.Equal(["lr.01"], (await Index.ReadAsync(null, null, 10, null, default)).Ids);
        Assert.Equal("lr.01", (await Store.AcceptedAsync<RunRequest>("lr.01", default))!.Run);

        await Store.MarkCancelledAsync("lr.02", default);
        await Assert.ThrowsAsync<PermanentFailureException>(
            () => Activities.AcceptRun(input with { Request = Samples.Request with { Run = "lr.02" } }, default));
        Assert.Equal(["lr.01"], (await Index.ReadAsync(null, null, 10, null, default)).Ids);
    }

    [Fact]
    public async Task A_run_is_judged_by_its_validations_and_those_of_the_sweeps_other_runs()
    {
        await WriteMetricsAsync("lr.01", Line(0, 9), Line(1, 1), Line(2, 1));
        await WriteMetricsAsync("lr.02", Line(0, 9), Line(1, 4), Line(2, 3));
        // The third run has not started, and the validation of another sweep's run does not count.
        await WriteMetricsAsync("other.01", Line(1, 1), Line(2, 1));
        var sweep = new SweepMember(Sweep, 3, new PruningSettings { MinRuns = 1 });
        var verdict = await Activities.JudgeRun(new JudgeRunInput("lr.02", 3, sweep), default);
        Assert.True(verdict.IsCurrent);
        Assert.Equal((2, 3), (verdict.Pruned!.Step, verdict.Pruned.ValidationLoss));
        Assert.Null((await Activities.JudgeRun(new JudgeRunInput("lr.01", 1, sweep), default)).Pruned);
        var two = sweep with { Pruning = new PruningSettings { MinRuns = 2 } };
        Assert.Null((await Activities.JudgeRun(new JudgeRunInput("lr.02", 3, two), default)).Pruned);
    }

    [Fact]
    public async Task A_validation_that_is_not_in_storage_yet_makes_no_current_verdict()
    {
        await WriteMetricsAsync("lr.01", Line(1, 4), Line(2, 3)[..^5]);
        var sweep = new SweepMember(Sweep, 3, new PruningSettings());
        Assert.False((await Activities.JudgeRun(new JudgeRunInput("lr.01", 3, sweep), default)).IsCurrent);
        Assert.True((await Activities.JudgeRun(new JudgeRunInput("lr.01", 4, sweep), default)).IsCurrent);
    }

    [Fact]
    public async Task A_pruned_run_has_its_job_stopped_before_its_result_is_written()
    {
        _jobs.OnStop = async () => Assert.Null(await Store.ResultAsync("lr.01", default));
        var result = await Activities.PruneRun(new PruneRunInput("lr.01", "lr.01-1", Worse), default);
        Assert.Equal(["lr.01-1"], _jobs.Stopped);
        Assert.Equal((Worse, 20, false), (result.Pruned, result.Steps, result.Succeeded));
        Assert.Equal(result, await Store.ResultAsync("lr.01", default));
        _jobs.OnStop = () => Task.CompletedTask;
        Assert.Equal(result, await Activities.PruneRun(new PruneRunInput("lr.01", "lr.01-1", Worse with { Step = 30 }), default));
    }

    [Fact]
    public async Task A_run_that_ends_while_its_job_is_stopped_keeps_its_result()
    {
        var succeeded = Samples.Succeeded with { Run = "lr.01" };
        _jobs.OnStop = () => Store.EnsureResultAsync(succeeded, default);
        Assert.Equal(succeeded, await Activities.PruneRun(new PruneRunInput("lr.01", "lr.01-1", Worse), default));
    }

    private static string Line(int step, double loss) =>
        $$$"""{"step":{{{step}}},"epoch":{{{step}}},"seconds":1,"validation":{"loss":{{{loss}}},"samples":2}}""" + "\n";

    private async Task WriteMetricsAsync(string run, params string[] lines) =>
        await azurite.Blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(new RunBlobs(run).Metrics)
            .UploadAsync(BinaryData.FromString(string.Concat(lines)), overwrite: true);

    private sealed class StoppableJobs : IGpuJobs
    {
        public List<string> Stopped { get; } = [];

        public Func<Task> OnStop { get; set; } = () => Task.CompletedTask;

        public Task<string> StartAsync(string run, int attempt, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task StopAsync(string job, CancellationToken cancellationToken)
        {
            Stopped.Add(job);
            return OnStop();
        }
    }
}

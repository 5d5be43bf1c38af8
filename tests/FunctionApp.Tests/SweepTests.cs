using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Sweeps;

namespace FunctionsPipeline.FunctionApp.Tests;

public class SweepTests
{
    private static readonly double[] Rates = [1e-4, 2e-4, 3e-4, 4e-4];

    private readonly List<FineTuneInput> _runs = [];
    private readonly List<PublishModelInput> _published = [];

    [Fact]
    public async Task The_data_is_prepared_once_and_the_best_run_is_published()
    {
        var orchestration = Orchestration(run => Trained(run, run.Request.Run == "lr.03" ? 0.2 : 0.5));
        var outcome = await Sweep.RunAsync(orchestration);

        Assert.Equal(new SweepOutcome("lr.03", 0.2, true, "it is the first model"), outcome);
        Assert.Equal("lr.03", Assert.Single(_published).Result.Run);
        Assert.Single(orchestration.Calls, call => call == "IngestDataset");
        Assert.Single(orchestration.Calls, call => call == "MirrorBaseModel");
        Assert.Equal(["lr.01", "lr.02", "lr.03", "lr.04"], _runs.Select(run => run.Request.Run));
        Assert.Equal(Rates, _runs.Select(run => run.Request.Training.LearningRate));
        Assert.All(_runs, run =>
        {
            Assert.Equal(Samples.Request.Dataset, run.Request.Dataset);
            Assert.Equal("samples--tiny@beef", run.Data!.BaseModel);
            Assert.Equal(Samples.Report.View, run.Data.Dataset.View);
            Assert.Equal(new SweepMember("lr", 4, new PruningSettings()), run.Sweep);
        });
        var last = Assert.IsType<SweepProgress>(orchestration.Statuses[^1]);
        Assert.Equal((4, 0, 0, "lr.03", 0.2), (last.Completed, last.Pruned, last.Failed, last.Best, last.ValidationLoss));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10)]
    public async Task No_more_runs_are_in_progress_than_the_parallelism_allows(int parallelism)
    {
        var expected = Math.Min(parallelism, Rates.Length);
        var inProgress = new Queue<TaskCompletionSource>();
        var most = 0;
        var orchestration = Orchestration(request => request with { Parallelism = parallelism }, async run =>
        {
            var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            inProgress.Enqueue(end);
            most = Math.Max(most, inProgress.Count);
            // A run ends when no further one may start beside it.
            if (_runs.Count == Rates.Length) while (inProgress.TryDequeue(out var one)) one.SetResult();
            else if (inProgress.Count == expected) inProgress.Dequeue().SetResult();
            await end.Task;
            return Trained(run, 0.5);
        });
        await Sweep.RunAsync(orchestration).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(expected, most);
        Assert.Equal(Rates.Length, _runs.Count);
    }

    [Fact]
    public async Task A_pruned_run_is_never_the_best_one_and_a_failed_one_does_not_end_the_others()
    {
        var orchestration = Orchestration(run => run.Request.Run switch
        {
            "lr.01" => throw new RunFailedException("the loss became NaN"),
            "lr.02" => Pruned(run, 0.1),
            _ => Trained(run, 0.5),
        });
        Assert.Equal("lr.03", (await Sweep.RunAsync(orchestration)).Best);
        var last = Assert.IsType<SweepProgress>(orchestration.Statuses[^1]);
        Assert.Equal((2, 1, 1), (last.Completed, last.Pruned, last.Failed));
    }

    [Fact]
    public async Task A_sweep_without_a_trained_run_fails_and_says_why()
    {
        var orchestration = Orchestration(run => run.Request.Run == "lr.02" ? Pruned(run, 0.1) : throw new RunFailedException("no GPU"));
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => Sweep.RunAsync(orchestration));
        Assert.EndsWith("lr.01: no GPU", failure.Message, StringComparison.Ordinal);
        Assert.Empty(_published);
    }

    [Fact]
    public async Task A_request_not_to_publish_is_heeded()
    {
        var orchestration = Orchestration(
            request => request with { Run = request.Run with { Publish = false } }, run => Task.FromResult(Trained(run, 0.5)));
        var outcome = await Sweep.RunAsync(orchestration);
        Assert.Equal(("lr.01", false), (outcome.Best, outcome.Published));
        Assert.Empty(_published);
    }

    [Fact]
    public async Task A_run_of_a_sweep_trains_on_its_data_and_leaves_publishing_to_the_sweep()
    {
        StartGpuJobInput? started = null;
        AcceptRunInput? accepted = null;
        var input = new FineTuneInput(Samples.Request, new GpuJobPolicy(0, 0, TimeSpan.FromMinutes(5)))
        {
            Data = new RunData(Samples.Report, null, "samples--tiny@beef"),
            Sweep = new SweepMember("lr", 4, new PruningSettings()),
        };
        var orchestration = new FakeOrchestration(input)
            .On<AcceptRunInput>("AcceptRun", run => accepted = run)
            .On<StartGpuJobInput, string>("StartGpuJob", job =>
            {
                started = job;
                return "run-1-1";
            })
            .On<ReadGpuJobInput, GpuJobReading>(
                "ReadGpuJob", _ => new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null));
        var outcome = await FineTune.RunAsync(orchestration);
        Assert.Equal(["AcceptRun", "StartGpuJob", "ReadGpuJob"], orchestration.Calls);
        Assert.Equal("run-1", accepted!.Request.Run);
        Assert.Equal(("lr", "samples--tiny@beef"), (started!.Job.Sweep, started.Job.BaseModel));
        Assert.Equal((false, "the sweep lr publishes its best run"), (outcome.Published, outcome.PublishDecision));
    }

    private static RunOutcome Trained(FineTuneInput run, double loss) => Outcome(Samples.Succeeded with
    {
        Run = run.Request.Run!,
        Model = run.Request.Run,
        FineTuned = new EvaluationMetrics { Loss = loss, Samples = 2 },
    });

    private static RunOutcome Pruned(FineTuneInput run, double loss) => Outcome(new TrainingResult
    {
        Run = run.Request.Run!,
        Succeeded = false,
        Pruned = new PrunedTraining("it was worse", 5, loss),
    });

    private static RunOutcome Outcome(TrainingResult result) => new(Samples.Report, result, false, "");

    private FakeOrchestration Orchestration(Func<FineTuneInput, RunOutcome> train) =>
        Orchestration(request => request, async run =>
        {
            await Task.Yield();
            return train(run);
        });

    private FakeOrchestration Orchestration(Func<SweepRequest, SweepRequest> change, Func<FineTuneInput, Task<RunOutcome>> train)
    {
        var request = change(new SweepRequest { Sweep = "lr", Run = Samples.Request with { Run = null } });
        var runs = Rates.Select(rate => new Dictionary<string, JsonElement>
        {
            ["learningRate"] = JsonSerializer.SerializeToElement(rate),
        });
        var input = new SweepInput(new SweepPlan(request, [.. runs]), new GpuJobPolicy(0, 0, TimeSpan.FromMinutes(5)));
        return new FakeOrchestration(input, "lr")
            .On<DatasetRequest, IngestReport>("IngestDataset", _ => Samples.Report)
            .On<BaseModelRequest, string>("MirrorBaseModel", model => $"samples--tiny@{model.Revision}")
            .On<FineTuneInput, RunOutcome>("FineTune", run =>
            {
                _runs.Add(run);
                return train(run);
            })
            .On<PublishModelInput, PublishDecision>("PublishModel", model =>
            {
                _published.Add(model);
                return new PublishDecision(true, "it is the first model");
            })
            .On<string>("WakeImages", _ => { });
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Tests;

public class FineTuneTests
{
    [Fact]
    public async Task A_run_goes_through_its_phases_and_returns_its_outcome()
    {
        TrainingJob? job = null;
        var orchestration = Orchestration(Samples.Report, onStart: started => job = started);
        var outcome = await FineTune.RunAsync(orchestration);

        Assert.True(outcome.Published);
        Assert.Equal(0.5, outcome.Result.FineTuned!.Loss);
        Assert.Equal("run-1", job!.OutputModel);
        Assert.Equal("samples--tiny@beef", job.BaseModel);
        Assert.Empty(job.Shards);
        // The template may name title and price, too, which have no column.
        Assert.Equal(FieldDefinition.Defaults, job.Fields);
        var phases = orchestration.Statuses.Cast<RunProgress>().Select(status => status.Phase).ToList();
        Assert.Equal(phases.Order(), phases);
        Assert.Equal(RunPhase.Ingesting, phases[0]);
        Assert.Contains(RunPhase.Training, phases);
        Assert.Equal(RunPhase.Done, phases[^1]);
        Assert.All(orchestration.Statuses.Cast<RunProgress>().Skip(1), status => Assert.Equal(10, status.TotalRows));
    }

    [Theory]
    [InlineData("train")]
    [InlineData("validation")]
    public async Task An_empty_split_fails_the_run_before_the_job_and_says_what_became_of_the_rows(string split)
    {
        var splits = new Dictionary<string, long>(Samples.Report.Splits) { [split] = 0 };
        var orchestration = Orchestration(Samples.Report with { Splits = splits });
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => FineTune.RunAsync(orchestration));
        Assert.Contains($"no usable {split} samples", failure.Message, StringComparison.Ordinal);
        Assert.Contains("1 not-found", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("StartGpuJob", orchestration.Calls);
    }

    [Fact]
    public async Task The_worker_gets_the_fields_that_were_read()
    {
        TrainingJob? job = null;
        var fields = new Dictionary<string, FieldColumn> { ["weight"] = new() { Column = "mass", Kind = FieldKind.Number, Unit = "g" } };
        var report = Samples.Report with { Columns = Samples.Report.Columns with { Fields = fields } };
        await FineTune.RunAsync(Orchestration(report, onStart: started => job = started));
        Assert.Equal([.. FieldDefinition.Defaults, new FieldDefinition("weight", FieldKind.Number, "g")], job!.Fields);
    }

    [Fact]
    public async Task A_request_not_to_publish_is_heeded()
    {
        var orchestration = Orchestration(Samples.Report, Samples.Request with { Publish = false });
        Assert.False((await FineTune.RunAsync(orchestration)).Published);
        Assert.DoesNotContain("PublishModel", orchestration.Calls);
    }

    [Fact]
    public async Task Corrections_are_trained_on_when_the_request_asks_for_them()
    {
        StartGpuJobInput? started = null;
        var report = Samples.Report with { Repo = "corrections", Commit = "5a4d", Counts = new RowCounts { Rows = 3, Stored = 3 } };
        var orchestration = Orchestration(Samples.Report, Samples.Request with { IncludeCorrections = true })
            .On<DatasetBlobs, IngestReport>("IngestCorrections", dataset => dataset == Samples.Dataset ? report : Samples.Report)
            .On<StartGpuJobInput, string>("StartGpuJob", input =>
            {
                started = input;
                return "run-1-1";
            });
        var outcome = await FineTune.RunAsync(orchestration);
        Assert.Equal(new DatasetBlobs("corrections", "5a4d", "v1"), started!.Corrections);
        Assert.Equal(Samples.Dataset, started.Dataset);
        Assert.Equal(3, outcome.Corrections!.Counts.Stored);
        var statuses = orchestration.Statuses.Cast<RunProgress>().ToList();
        Assert.Equal(3, statuses[^1].Corrections!.Stored);
        Assert.Equal(statuses.Select(status => status.Phase).Order(), statuses.Select(status => status.Phase));

        var without = Orchestration(Samples.Report);
        Assert.Null((await FineTune.RunAsync(without)).Corrections);
        Assert.DoesNotContain("IngestCorrections", without.Calls);
    }

    [Fact]
    public async Task A_base_model_that_cannot_be_mirrored_fails_the_run_without_waiting_for_the_dataset()
    {
        var orchestration = Orchestration(Samples.Report)
            .On<DatasetRequest, IngestReport>("IngestDataset", _ => new TaskCompletionSource<IngestReport>().Task)
            .On<BaseModelRequest, string>("MirrorBaseModel", string (_) => throw new PermanentFailureException("gated"));
        var failure = await Assert.ThrowsAsync<TaskFailedException>(
            () => FineTune.RunAsync(orchestration).WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal("gated", failure.FailureDetails.ErrorMessage);
    }

    [Fact]
    public async Task Transient_failures_are_tried_again_and_permanent_ones_are_not()
    {
        var tries = 0;
        var transient = Orchestration(Samples.Report)
            .On<BaseModelRequest, string>("MirrorBaseModel", _ => ++tries < 3 ? throw new IOException("reset") : "samples--tiny@beef");
        await FineTune.RunAsync(transient);
        Assert.Equal(3, tries);

        foreach (var failure in new Exception[] { new PermanentFailureException("no"), new RequestException("baseModel.repo", 404, "no") })
        {
            var permanent = Orchestration(Samples.Report).On<BaseModelRequest, string>("MirrorBaseModel", string (_) => throw failure);
            await Assert.ThrowsAsync<TaskFailedException>(() => FineTune.RunAsync(permanent));
            Assert.Single(permanent.Calls, call => call == "MirrorBaseModel");
        }
    }

    internal static FakeOrchestration Orchestration(IngestReport report, RunRequest? request = null, Action<TrainingJob>? onStart = null) =>
        new FakeOrchestration(new FineTuneInput(request ?? Samples.Request, new GpuJobPolicy(0, 0, TimeSpan.FromMinutes(5))))
            .On<DatasetRequest, IngestReport>("IngestDataset", _ => report)
            .On<BaseModelRequest, string>("MirrorBaseModel", model => $"samples--tiny@{model.Revision}")
            .On<StartGpuJobInput, string>("StartGpuJob", input =>
            {
                onStart?.Invoke(input.Job);
                return "run-1-1";
            })
            .On<ReadGpuJobInput, GpuJobReading>(
                "ReadGpuJob", _ => new GpuJobReading(new GpuJobStatus(GpuJobState.Exited, 0), Samples.Succeeded, null))
            .On<PublishModelInput, PublishDecision>("PublishModel", _ => new PublishDecision(true, "it is the first model"))
            .On<string>("WakeImages", _ => { });
}

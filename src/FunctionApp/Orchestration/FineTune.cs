using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Models;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Orchestrates a run from the dataset on the Hub to the serving model. The instance id is the run's id.</summary>
public static class FineTune
{
    /// <summary>Returns the instance id of a run's ingestion.</summary>
    public static string IngestionId(string run) => $"{run}.ingest";

    [Function(nameof(FineTune))]
    public static async Task<RunOutcome> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        try
        {
            return await TrainAsync(context);
        }
        // The middleware that counts failed calls sees none of an orchestrator.
        catch (Exception e) when (!context.IsReplaying)
        {
            PipelineMetrics.CountFailure(nameof(FineTune), e.GetType());
            throw;
        }
    }

    private static async Task<RunOutcome> TrainAsync(TaskOrchestrationContext context)
    {
        var (request, gpuJobs) = context.GetInput<FineTuneInput>()!;
        var run = context.InstanceId;

        context.SetCustomStatus(new RunProgress
        {
            Phase = RunPhase.Ingesting,
            Message = $"reading {request.Dataset.Repo} and {request.BaseModel.Repo}",
        });
        var ingesting = context.CallSubOrchestratorAsync<IngestReport>(
            nameof(IngestDataset), request.Dataset, new SubOrchestrationOptions(instanceId: IngestionId(run)));
        var mirroring = context.CallActivityAsync<string>(nameof(ModelActivities.MirrorBaseModel), request.BaseModel, Retries.Transient);

        // Awaiting the first task to end rethrows its failure at once, without waiting for the other one.
        var first = await Task.WhenAny((Task)ingesting, mirroring);
        await first;
        var dataset = await ingesting;
        RequireSamples(dataset);
        IngestReport? corrections = null;
        if (request.IncludeCorrections)
        {
            context.SetCustomStatus(Progress(RunPhase.Ingesting, dataset, "reading the corrections of uploaded images"));
            corrections = await context.CallActivityAsync<IngestReport>(
                nameof(DatasetActivities.IngestCorrections), Blobs(dataset), Retries.Transient);
        }
        if (!mirroring.IsCompleted)
            context.SetCustomStatus(Progress(RunPhase.Mirroring, dataset, $"mirroring {request.BaseModel.Repo}", corrections));
        var baseModel = await mirroring;

        var job = new TrainingJob
        {
            Run = run,
            Shards = [],
            BaseModel = baseModel,
            OutputModel = run,
            Settings = request.Training,
            Dataset = $"{dataset.Repo}@{dataset.Commit}",
        };
        var result = await GpuTraining.RunAsync(
            context, job, Blobs(dataset), corrections is null ? null : Blobs(corrections), gpuJobs,
            (message, heartbeat) => context.SetCustomStatus(
                Progress(RunPhase.Training, dataset, message, corrections) with { Training = heartbeat }));

        context.SetCustomStatus(Progress(RunPhase.Publishing, dataset, $"comparing {run} with the serving model", corrections));
        var decision = request.Publish
            ? await context.CallActivityAsync<PublishDecision>(
                nameof(ModelActivities.PublishModel), new PublishModelInput(result), Retries.Transient)
            : new PublishDecision(false, "the request asked not to publish");

        if (decision.Published) await context.CallActivityAsync(nameof(ReadingActivities.WakeImages), run, Retries.Transient);
        var verdict = decision.Published ? "serves" : "does not serve";
        context.SetCustomStatus(Progress(RunPhase.Done, dataset, $"{run} {verdict}: {decision.Reason}", corrections));
        return new RunOutcome(dataset, result, decision.Published, decision.Reason) { Corrections = corrections };
    }

    private static DatasetBlobs Blobs(IngestReport report) => new(report.Repo, report.Commit, report.View);

    private static void RequireSamples(IngestReport dataset)
    {
        foreach (var split in new[] { Splits.Train, Splits.Validation })
        {
            if (dataset.Splits.GetValueOrDefault(split) == 0)
                throw new RunFailedException($"{dataset.Repo} has no usable {split} samples: {Describe(dataset.Counts)}.");
        }
    }

    private static string Describe(RowCounts counts)
    {
        var reasons = string.Join(", ", counts.RejectedBy.Select(reason => $"{reason.Value} {reason.Key}"));
        return $"of {counts.Rows} rows {counts.Stored} were stored, {counts.Duplicates} were duplicates, {counts.Rejected} were rejected"
            + (reasons.Length > 0 ? $" ({reasons})" : "");
    }

    private static RunProgress Progress(RunPhase phase, IngestReport dataset, string message, IngestReport? corrections = null) => new()
    {
        Phase = phase,
        Message = message,
        Rows = dataset.Counts,
        TotalRows = dataset.Counts.Rows,
        Corrections = corrections?.Counts,
    };
}

/// <summary>Input of a run's orchestration, fixed when the run starts, so that later changes of settings do not affect it.</summary>
/// <param name="Request">The request, with its revisions pinned to commits.</param>
public sealed record FineTuneInput(RunRequest Request, GpuJobPolicy GpuJobs);

/// <summary>A run failed for good; the message gives the reason.</summary>
public sealed class RunFailedException(string message) : Exception(message);

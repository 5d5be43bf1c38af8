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
        var plan = context.GetInput<RunPlan>()!;
        var run = context.InstanceId;

        context.SetCustomStatus(new RunStatus { Phase = RunPhase.Ingesting, Message = $"reading {plan.Request.Dataset.Repo} and {plan.Request.BaseModel.Repo}" });
        var ingesting = context.CallSubOrchestratorAsync<IngestReport>(
            nameof(IngestDataset), plan.Request.Dataset, new SubOrchestrationOptions(instanceId: IngestionId(run)));
        var mirroring = context.CallActivityAsync<string>(nameof(MirrorBaseModel), plan.Request.BaseModel, Retries.Transient);

        // The inner await rethrows the failure of the first task to end, without waiting for the other one.
        await await Task.WhenAny((Task)ingesting, mirroring);
        var dataset = await ingesting;
        RequireSamples(dataset);
        if (!mirroring.IsCompleted)
            context.SetCustomStatus(Status(RunPhase.Mirroring, dataset, $"mirroring {plan.Request.BaseModel.Repo}"));
        var baseModel = await mirroring;

        var job = new TrainingJob
        {
            Run = run,
            Shards = [],
            BaseModel = baseModel,
            OutputModel = run,
            Settings = plan.Request.Training,
            Dataset = $"{dataset.Repo}@{dataset.Commit}",
        };
        var result = await GpuTraining.RunAsync(context, job, new DatasetBlobs(dataset.Repo, dataset.Commit, dataset.View), plan.GpuJobs,
            (message, heartbeat) => context.SetCustomStatus(Status(RunPhase.Training, dataset, message) with { Training = heartbeat }));

        context.SetCustomStatus(Status(RunPhase.Publishing, dataset, $"comparing {run} with the serving model"));
        var decision = plan.Request.Publish
            ? await context.CallActivityAsync<PublishDecision>(nameof(PublishModel), new PublishModelInput(dataset, result), Retries.Transient)
            : new PublishDecision(false, "the request asked not to publish");

        context.SetCustomStatus(Status(RunPhase.Done, dataset, decision.Published ? $"{run} serves: {decision.Reason}" : $"{run} does not serve: {decision.Reason}"));
        return new RunOutcome(dataset, result, decision.Published, decision.Reason);
    }

    private static void RequireSamples(IngestReport dataset)
    {
        foreach (var split in new[] { Splits.Train, Splits.Validation })
            if (dataset.Splits.GetValueOrDefault(split) == 0)
                throw new RunFailedException($"{dataset.Repo} has no usable {split} samples: {Describe(dataset.Counts)}.");
    }

    private static string Describe(RowCounts counts)
    {
        var reasons = string.Join(", ", counts.RejectedBy.Select(reason => $"{reason.Value} {reason.Key}"));
        return $"of {counts.Rows} rows {counts.Stored} were stored, {counts.Duplicates} were duplicates, {counts.Rejected} were rejected"
            + (reasons.Length > 0 ? $" ({reasons})" : "");
    }

    private static RunStatus Status(RunPhase phase, IngestReport dataset, string message) =>
        new() { Phase = phase, Message = message, Rows = dataset.Counts, TotalRows = dataset.Counts.Rows };
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Sweeps;
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
        var input = context.GetInput<FineTuneInput>()!;
        var (request, gpuJobs) = input;
        var run = context.InstanceId;
        if (input.Sweep is not null)
        {
            await context.CallActivityAsync(
                nameof(SweepActivities.AcceptRun), new AcceptRunInput(request, context.CurrentUtcDateTime), Retries.Transient);
        }
        var (dataset, corrections, baseModel) = input.Data
            ?? await RunData.PrepareAsync(context, request, progress => context.SetCustomStatus(progress));

        var job = new TrainingJob
        {
            Run = run,
            Shards = [],
            BaseModel = baseModel,
            OutputModel = run,
            Settings = request.Training,
            Fields = FieldDefinition.OfAnswers(dataset.Columns),
            Dataset = $"{dataset.Repo}@{dataset.Commit}",
            Sweep = input.Sweep?.Sweep,
        };
        var result = await GpuTraining.RunAsync(
            context, job, RunData.Blobs(dataset), corrections is null ? null : RunData.Blobs(corrections), gpuJobs,
            (message, heartbeat) => context.SetCustomStatus(
                RunData.Progress(RunPhase.Training, dataset, message, corrections) with { Training = heartbeat }),
            input.Sweep);

        PublishDecision decision;
        if (result.Pruned is { } pruned) decision = new PublishDecision(false, pruned.Reason);
        else if (input.Sweep is { Sweep: var sweep }) decision = new PublishDecision(false, $"the sweep {sweep} publishes its best run");
        else
        {
            context.SetCustomStatus(RunData.Progress(RunPhase.Publishing, dataset, $"comparing {run} with the serving model", corrections));
            decision = await Publication.RunAsync(context, request, result);
        }
        var verdict = decision.Published ? "serves" : "does not serve";
        context.SetCustomStatus(RunData.Progress(RunPhase.Done, dataset, $"{run} {verdict}: {decision.Reason}", corrections));
        return new RunOutcome(dataset, result, decision.Published, decision.Reason) { Corrections = corrections };
    }
}

/// <summary>Input of a run's orchestration, fixed when the run starts, so that later changes of settings do not affect it.</summary>
/// <param name="Request">The request, with its revisions pinned to commits.</param>
public sealed record FineTuneInput(RunRequest Request, GpuJobPolicy GpuJobs)
{
    /// <summary>The run's data when it is in storage already; null when the run prepares it.</summary>
    public RunData? Data { get; init; }

    /// <summary>The sweep that the run belongs to; null for none.</summary>
    public SweepMember? Sweep { get; init; }
}

/// <summary>A run failed for good; the message gives the reason.</summary>
public sealed class RunFailedException(string message) : Exception(message);

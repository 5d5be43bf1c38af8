using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>All that a training reads, once it is in storage: dataset, corrections and base model.</summary>
/// <param name="Corrections">Report of the corrections that are trained on too; null for none.</param>
/// <param name="BaseModel">Folder of the base model in container <see cref="Containers.Models"/>.</param>
public sealed record RunData(IngestReport Dataset, IngestReport? Corrections, string BaseModel)
{
    /// <summary>Brings the data of a request into storage, from within an orchestrator.</summary>
    /// <param name="report">Receives the progress.</param>
    /// <exception cref="RunFailedException">There is nothing to train on or to validate on.</exception>
    internal static async Task<RunData> PrepareAsync(TaskOrchestrationContext context, RunRequest request, Action<RunProgress> report)
    {
        report(new RunProgress
        {
            Phase = RunPhase.Ingesting,
            Message = $"reading {request.Dataset.Repo} and {request.BaseModel.Repo}",
        });
        var ingesting = context.CallSubOrchestratorAsync<IngestReport>(
            nameof(IngestDataset), request.Dataset, new SubOrchestrationOptions(instanceId: FineTune.IngestionId(context.InstanceId)));
        var mirroring = context.CallActivityAsync<string>(nameof(ModelActivities.MirrorBaseModel), request.BaseModel, Retries.Transient);

        // Awaiting the first task to end rethrows its failure at once, without waiting for the other one.
        var first = await Task.WhenAny((Task)ingesting, mirroring);
        await first;
        var dataset = await ingesting;
        RequireSamples(dataset);
        IngestReport? corrections = null;
        if (request.IncludeCorrections)
        {
            report(Progress(RunPhase.Ingesting, dataset, "reading the corrections of uploaded images"));
            corrections = await context.CallActivityAsync<IngestReport>(
                nameof(DatasetActivities.IngestCorrections), Blobs(dataset), Retries.Transient);
        }
        if (!mirroring.IsCompleted)
            report(Progress(RunPhase.Mirroring, dataset, $"mirroring {request.BaseModel.Repo}", corrections));
        return new RunData(dataset, corrections, await mirroring);
    }

    internal static DatasetBlobs Blobs(IngestReport report) => new(report.Repo, report.Commit, report.View);

    internal static RunProgress Progress(RunPhase phase, IngestReport dataset, string message, IngestReport? corrections = null) => new()
    {
        Phase = phase,
        Message = message,
        Rows = dataset.Counts,
        TotalRows = dataset.Counts.Rows,
        Corrections = corrections?.Counts,
    };

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
}

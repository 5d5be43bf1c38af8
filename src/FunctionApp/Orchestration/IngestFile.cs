using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <param name="AtOnce">Maximum number of units in progress at the same time.</param>
public sealed record IngestFileInput(DatasetBlobs Dataset, FileUnits File, int AtOnce);

/// <summary>Sub-orchestrator that fetches one file of a dataset, then ingests its units.</summary>
public static class IngestFile
{
    [Function(nameof(IngestFile))]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (dataset, file, atOnce) = context.GetInput<IngestFileInput>()!;
        await context.CallActivityAsync<long>(nameof(DatasetActivities.FetchFile), new DatasetPart(dataset, file.File), Retries.Transient);
        await BoundedFanOut.ForEachAsync([.. Enumerable.Range(file.FirstUnit, file.Units)], atOnce,
            unit => context.CallActivityAsync<RowCounts>(nameof(DatasetActivities.IngestShard), new DatasetPart(dataset, unit), Retries.Transient));
    }
}

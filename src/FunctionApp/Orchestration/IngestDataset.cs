using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Orchestrator that ingests a dataset from the Hub into training shards, with one sub-orchestration per file, several at a time. Its
/// history holds only references and counts.
/// </summary>
public static class IngestDataset
{
    private const int FilesAtOnce = 4;

    // host.json runs eight activities at once per instance; two of them are kept free for progress reports and the base model.
    private const int UnitsAtOnce = 6;
    private const int ShardsAtOnce = 4;

    [Function(nameof(IngestDataset))]
    public static async Task<IngestReport> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var request = context.GetInput<DatasetRequest>()!;
        var started = context.CurrentUtcDateTime;
        context.SetCustomStatus(new RunStatus { Phase = RunPhase.Resolving, Message = $"looking up {request.Repo}" });
        var dataset = await context.CallActivityAsync<ResolvedDataset>(nameof(DatasetActivities.ResolveDataset), request, Retries.Transient);
        var status = new IngestStatus(context, dataset);
        if (dataset.Report is { } earlier)
        {
            status.Report("ingested before: nothing to do", earlier.Counts);
            return earlier;
        }

        await status.WatchAsync("reading rows and images", ReadFilesAsync(context, dataset));

        status.Report("writing the catalog");
        var summary = await context.CallActivityAsync<CatalogSummary>(nameof(DatasetActivities.WriteCatalog), dataset.Blobs, Retries.Transient);

        var written = 0;
        status.Report("writing training shards", summary.Counts);
        await BoundedFanOut.ForEachAsync([.. Enumerable.Range(0, dataset.Shards)], ShardsAtOnce,
            shard => context.CallActivityAsync(nameof(DatasetActivities.PreprocessShard), new DatasetPart(dataset.Blobs, shard), Retries.Transient),
            () => status.Report($"writing training shards: {++written} of {dataset.Shards}", summary.Counts));

        var seconds = (context.CurrentUtcDateTime - started).TotalSeconds;
        return await context.CallActivityAsync<IngestReport>(
            nameof(DatasetActivities.WriteReport), new ReportInput(dataset.Blobs, summary, seconds), Retries.Transient);
    }

    private static Task ReadFilesAsync(TaskOrchestrationContext context, ResolvedDataset dataset)
    {
        var unitsAtOnce = UnitsAtOnce / Math.Clamp(dataset.Files.Count, 1, FilesAtOnce);
        return BoundedFanOut.ForEachAsync(dataset.Files, FilesAtOnce, file => context.CallSubOrchestratorAsync(
            nameof(IngestFile),
            new IngestFileInput(dataset.Blobs, file, unitsAtOnce),
            new SubOrchestrationOptions(instanceId: $"{context.InstanceId}.file-{file.File:D5}")));
    }
}

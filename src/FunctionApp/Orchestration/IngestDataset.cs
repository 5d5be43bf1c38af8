using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Brings a dataset from the Hub into training shards, several units at a time.</summary>
public static class IngestDataset
{
    private const int UnitsAtOnce = 4;

    [Function(nameof(IngestDataset))]
    public static async Task<IngestReport> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var request = context.GetInput<DatasetRequest>()!;
        var started = context.CurrentUtcDateTime;
        context.SetCustomStatus(new RunStatus { Phase = RunPhase.Resolving, Message = $"looking up {request.Repo}" });
        var dataset = await context.CallActivityAsync<ResolvedDataset>(nameof(DatasetActivities.ResolveDataset), request, Retries.Transient);

        // Every input stays in the history: a unit's activity gets the dataset without the other units.
        var units = dataset.Units;
        var rest = dataset with { Units = [] };

        var counts = new RowCounts();
        Report("reading rows and images");
        await BoundedFanOut.ForEachAsync(units, UnitsAtOnce,
            unit => context.CallActivityAsync<UnitResult>(nameof(DatasetActivities.IngestShard), new UnitInput(rest, unit), Retries.Transient),
            result =>
            {
                counts += result.Counts;
                Report("reading rows and images");
            });

        var shards = new List<ShardInfo>();
        await BoundedFanOut.ForEachAsync(units, UnitsAtOnce,
            unit => context.CallActivityAsync<IReadOnlyList<ShardInfo>>(
                nameof(DatasetActivities.PreprocessShard), new UnitInput(rest, unit), Retries.Transient),
            written =>
            {
                shards.AddRange(written);
                Report($"wrote {shards.Count} training shards");
            });

        Report("writing the catalog");
        var input = new CatalogInput(dataset, shards, (context.CurrentUtcDateTime - started).TotalSeconds);
        return await context.CallActivityAsync<IngestReport>(nameof(DatasetActivities.WriteCatalog), input, Retries.Transient);

        void Report(string message) => context.SetCustomStatus(
            new RunStatus { Phase = RunPhase.Ingesting, Message = message, Rows = counts, TotalRows = dataset.Rows });
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Orchestrator that ingests a dataset into training shards, with one sub-orchestration per file, several at a time. Its
/// history holds only references and counts.
/// </summary>
public static class IngestDataset
{
    private const int FilesAtOnce = 4;

    // host.json runs 16 activities at once per instance. Predictions take eight of them at most, and two are kept free for progress reports
    // and the base model.
    private const int UnitsAtOnce = 6;
    private const int ShardsAtOnce = 4;

    [Function(nameof(IngestDataset))]
    public static async Task<IngestReport> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var request = context.GetInput<DatasetRequest>()!;
        var started = context.CurrentUtcDateTime;
        context.SetCustomStatus(new RunProgress { Phase = RunPhase.Resolving, Message = $"looking up {request.Repo}" });
        await ConvertTablesAsync(context, request);
        var dataset = await context.CallActivityAsync<ResolvedDataset>(
            nameof(DatasetActivities.ResolveDataset), request, Retries.Transient);
        var progress = new ProgressReporter(context, dataset);
        if (dataset.Report is { } earlier)
        {
            progress.Report("ingested before: nothing to do", earlier.Counts);
            return earlier;
        }

        await progress.WatchAsync("reading rows and images", ReadFilesAsync(context, dataset));

        progress.Report("writing the catalog");
        var summary = await context.CallActivityAsync<CatalogSummary>(
            nameof(DatasetActivities.WriteCatalog), dataset.Blobs, Retries.Transient);

        var written = 0;
        progress.Report("writing training shards", summary.Counts);
        await BoundedFanOut.ForEachAsync([.. Enumerable.Range(0, dataset.Shards)], ShardsAtOnce,
            shard => context.CallActivityAsync(
                nameof(DatasetActivities.PreprocessShard), new DatasetItem(dataset.Blobs, shard), Retries.Transient),
            () => progress.Report($"writing training shards: {++written} of {dataset.Shards}", summary.Counts));

        var seconds = (context.CurrentUtcDateTime - started).TotalSeconds;
        return await context.CallActivityAsync<IngestReport>(
            nameof(DatasetActivities.WriteReport), new ReportInput(dataset.Blobs, summary, seconds), Retries.Transient);
    }

    // What is no Parquet is made Parquet first, so that planning and reading are the same for all forms.
    private static async Task ConvertTablesAsync(TaskOrchestrationContext context, DatasetRequest request)
    {
        var tables = await context.CallActivityAsync<IReadOnlyList<SourceTable>>(
            nameof(DatasetActivities.FindTables), request, Retries.Transient);
        if (tables.Count == 0) return;
        var converted = 0;
        Report();
        await BoundedFanOut.ForEachAsync(tables, FilesAtOnce,
            table => context.CallActivityAsync<string>(
                nameof(DatasetActivities.ConvertTable), new ConvertTableInput(request, table), Retries.Transient),
            () =>
            {
                converted++;
                Report();
            });

        void Report() => context.SetCustomStatus(new RunProgress
        {
            Phase = RunPhase.Resolving,
            Message = $"converting the files of {request.Repo} to Parquet: {converted} of {tables.Count}",
        });
    }

    private static Task ReadFilesAsync(TaskOrchestrationContext context, ResolvedDataset dataset)
    {
        // Shared among the files in progress, rounded down: 6, 3, 2 or 1 units of each.
        var unitsAtOnce = UnitsAtOnce / Math.Clamp(dataset.Files.Count, 1, FilesAtOnce);
        return BoundedFanOut.ForEachAsync(dataset.Files, FilesAtOnce, file => context.CallSubOrchestratorAsync(
            nameof(IngestFile),
            new IngestFileInput(dataset.Blobs, file, unitsAtOnce),
            new SubOrchestrationOptions(instanceId: $"{context.InstanceId}.file-{file.File:D5}")));
    }
}

/// <param name="AtOnce">Maximum number of units in progress at the same time.</param>
public sealed record IngestFileInput(DatasetBlobs Dataset, FileUnits File, int AtOnce);

/// <summary>Sub-orchestrator that fetches one file of a dataset, then ingests its units.</summary>
public static class IngestFile
{
    [Function(nameof(IngestFile))]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (dataset, file, atOnce) = context.GetInput<IngestFileInput>()!;
        await context.CallActivityAsync<long>(nameof(DatasetActivities.FetchFile), new DatasetItem(dataset, file.File), Retries.Transient);
        await BoundedFanOut.ForEachAsync([.. Enumerable.Range(file.FirstUnit, file.Units)], atOnce,
            unit => context.CallActivityAsync<RowCounts>(
                nameof(DatasetActivities.IngestUnit), new DatasetItem(dataset, unit), Retries.Transient));
    }
}

/// <summary>
/// Reports the progress of an ingestion as its custom status: counts, rate and time left. Far below 16 kB, the limit of a custom status.
/// </summary>
internal sealed class ProgressReporter(TaskOrchestrationContext context, ResolvedDataset dataset)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly DateTime _started = context.CurrentUtcDateTime;

    // Rows counted by the first report: they were ingested earlier and are left out of the rate.
    private RowCounts? _before;

    private RowCounts _last = new();

    /// <summary>Sets the custom status to a message and row counts.</summary>
    /// <param name="counts">Rows so far; those of the previous report when left out.</param>
    public void Report(string message, RowCounts? counts = null)
    {
        _last = counts ?? _last;
        context.SetCustomStatus(new RunProgress
        {
            Phase = RunPhase.Ingesting,
            Message = message,
            Rows = _last,
            TotalRows = dataset.Rows,
            Rate = counts is null ? null : RateAt(counts),
            Columns = dataset.Columns,
            ColumnsGuess = dataset.ColumnsGuess,
        });
    }

    /// <summary>Reports row counts until the reading of rows has ended.</summary>
    public async Task WatchAsync(string message, Task reading)
    {
        Report(message);
#pragma warning disable DURABLE0011 // The loop ends with the watched task, and growing pauses keep the history short.
        while (true)
#pragma warning restore DURABLE0011
        {
            var progress = await context.CallActivityAsync<IngestProgress>(
                nameof(DatasetActivities.ReadProgress), dataset.Blobs, Retries.Transient);
            _before ??= progress.Counts;
            Report(message, progress.Counts);
            if (reading.IsCompleted) break;
            using var stop = new CancellationTokenSource();
            // A tenth of the ingestion's age, five minutes from the 50th on: the first hour has about 65 polls.
            var pause = PollInterval.After(context.CurrentUtcDateTime - _started, 10, LongestPause);
            await Task.WhenAny(reading, context.CreateTimer(pause, stop.Token));
            // An orchestration completes only when its timers have fired or are cancelled.
            stop.Cancel();
        }
        await reading;
    }

    private IngestRate? RateAt(RowCounts counts)
    {
        var seconds = (context.CurrentUtcDateTime - _started).TotalSeconds;
        if (_before is null || seconds <= 0) return null;
        // All rates are per second. Seconds left: rows that remain / rows per second.
        var rows = (counts.Rows - _before.Rows) / seconds;
        return new IngestRate(rows, (counts.Stored - _before.Stored) / seconds, (counts.Bytes - _before.Bytes) / seconds,
            rows > 0 ? (dataset.Rows - counts.Rows) / rows : null);
    }
}

/// <summary>Fan-out of an orchestrator with a bound on the number of open tasks.</summary>
internal static class BoundedFanOut
{
    /// <summary>
    /// Calls the items' tasks in order, at most <paramref name="atOnce"/> at a time, and reports each completion. Awaits only the
    /// orchestrator's own tasks, so that a replay is deterministic. The first failure ends the fan-out.
    /// </summary>
    public static async Task ForEachAsync<TItem>(IReadOnlyList<TItem> items, int atOnce, Func<TItem, Task> call, Action? finished = null)
    {
        var next = 0;
        var waiting = new List<Task>(atOnce);
        while (next < items.Count || waiting.Count > 0)
        {
            while (next < items.Count && waiting.Count < atOnce) waiting.Add(call(items[next++]));
            // Tasks that are open at a failure run on, but nothing is started after them.
            var first = await Task.WhenAny(waiting);
            waiting.Remove(first);
            await first;
            finished?.Invoke();
        }
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Orchestrator that ingests a dataset into training shards, with one sub-orchestration per file, several at a time. Its history holds
/// only references and counts, and has fewer than 2,000 events for any number of files, units and shards.
/// </summary>
public static class IngestDataset
{
    [Function(nameof(IngestDataset))]
    public static async Task<IngestReport> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var request = context.GetInput<DatasetRequest>()!;
        var started = context.CurrentUtcDateTime;
        context.SetCustomStatus(new RunProgress { Phase = RunPhase.Resolving, Message = $"looking up {request.Repo}" });
        await ConvertTablesAsync(context, request, started);
        var dataset = await context.CallActivityAsync<ResolvedDataset>(
            nameof(DatasetActivities.ResolveDataset), request, Retries.Transient);
        var progress = new ProgressReporter(context, dataset);
        if (dataset.Report is { } earlier)
        {
            progress.Report("ingested before: nothing to do", earlier.Counts);
            return earlier;
        }

        var pace = new Pace(dataset.UnitsAtOnce, dataset.Instances, started);
        var unitsOfFile = 1 + (dataset.Units / Math.Max(1, dataset.Files));
        await progress.WatchAsync("reading rows and images",
            IngestFiles.RunAsync(context, new FileRange(dataset.Blobs, new ItemRange(0, dataset.Files, unitsOfFile), pace)));

        progress.Report("writing the catalog");
        var counts = await context.CallSubOrchestratorAsync<RowCounts>(
            nameof(BuildCatalog), new BuildCatalogInput(dataset.Blobs, dataset.CatalogParts, dataset.KeyPartitions, pace),
            new SubOrchestrationOptions(instanceId: $"{context.InstanceId}.catalog"));

        var written = 0;
        progress.Report("writing training shards", counts);
        await RunActivities.RunAsync(
            context, new ActivityRange(dataset.Blobs, nameof(DatasetActivities.PreprocessShard), new ItemRange(0, dataset.Shards), pace),
            shards => progress.Report($"writing training shards: {written += shards} of {dataset.Shards}", counts));

        var seconds = (context.CurrentUtcDateTime - started).TotalSeconds;
        return await context.CallActivityAsync<IngestReport>(
            nameof(DatasetActivities.WriteReport), new ReportInput(dataset.Blobs, seconds), Retries.Transient);
    }

    // What is no Parquet is made Parquet first, so that planning and reading are the same for all forms.
    private static async Task ConvertTablesAsync(TaskOrchestrationContext context, DatasetRequest request, DateTime started)
    {
        var tables = await context.CallActivityAsync<TablesToConvert>(
            nameof(DatasetActivities.FindTables), request, Retries.Transient);
        if (tables.Count == 0) return;
        var converted = 0;
        Report(0);
        await RunActivities.RunAsync(
            context, new ActivityRange(tables.Dataset, nameof(DatasetActivities.ConvertTable), new ItemRange(0, tables.Count),
                new Pace(tables.UnitsAtOnce, tables.Instances, started)),
            Report);

        void Report(int more) => context.SetCustomStatus(new RunProgress
        {
            Phase = RunPhase.Resolving,
            Message = $"converting the files of {request.Repo} to Parquet: {converted += more} of {tables.Count}",
        });
    }
}

/// <param name="Files">The files, whose weight is the mean number of their units.</param>
public sealed record FileRange(DatasetBlobs Dataset, ItemRange Files, Pace Pace);

/// <summary>Sub-orchestrator that ingests a range of a dataset's files.</summary>
public static class IngestFiles
{
    private const string Kind = "files";

    [Function(nameof(IngestFiles))]
    public static Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context) =>
        RunAsync(context, context.GetInput<FileRange>()!);

    /// <summary>Ingests a range of files from within an orchestrator.</summary>
    internal static Task RunAsync(TaskOrchestrationContext context, FileRange range) => NestedFanOut.ForEachAsync(
        context, range.Files, range.Pace,
        (file, pace) => context.CallSubOrchestratorAsync(
            nameof(IngestFile), new IngestFileInput(range.Dataset, file, pace),
            new SubOrchestrationOptions(instanceId: $"{NestedFanOut.Parent(context, Kind)}.file-{file:D5}")),
        (files, pace) => context.CallSubOrchestratorAsync(
            nameof(IngestFiles), range with { Files = files, Pace = pace },
            NestedFanOut.Options(context, Kind, files)));
}

/// <param name="File">Number of the file.</param>
/// <param name="Pace">Pace of the file's units.</param>
public sealed record IngestFileInput(DatasetBlobs Dataset, int File, Pace Pace);

/// <summary>Sub-orchestrator that fetches one file of a dataset, then ingests its units.</summary>
public static class IngestFile
{
    [Function(nameof(IngestFile))]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (dataset, file, pace) = context.GetInput<IngestFileInput>()!;
        var units = await context.CallActivityAsync<FileUnits>(
            nameof(DatasetActivities.FetchFile), new DatasetItem(dataset, file), Retries.Transient);
        await RunActivities.RunAsync(context,
            new ActivityRange(dataset, nameof(DatasetActivities.IngestUnit), new ItemRange(units.First, units.Count), pace));
    }
}

/// <param name="Parts">Number of parts of the catalog.</param>
/// <param name="Partitions">Number of partitions in which duplicate rows are found.</param>
public sealed record BuildCatalogInput(DatasetBlobs Dataset, int Parts, int Partitions, Pace Pace);

/// <summary>Sub-orchestrator that finds duplicate rows and writes the catalog, part by part; returns the row counts.</summary>
public static class BuildCatalog
{
    [Function(nameof(BuildCatalog))]
    public static async Task<RowCounts> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (dataset, parts, partitions, pace) = context.GetInput<BuildCatalogInput>()!;
        // Each step needs all results of the one before.
        foreach (var (activity, count) in new[]
        {
            (nameof(DatasetActivities.WriteKeys), parts),
            (nameof(DatasetActivities.FindDuplicates), partitions),
            (nameof(DatasetActivities.WriteCatalog), parts),
        })
            await RunActivities.RunAsync(context, new ActivityRange(dataset, activity, new ItemRange(0, count), pace));
        return await context.CallActivityAsync<RowCounts>(nameof(DatasetActivities.MergeCatalog), dataset, Retries.Transient);
    }
}

/// <param name="Activity">Name of an activity whose input is a <see cref="DatasetItem"/>.</param>
public sealed record ActivityRange(DatasetBlobs Dataset, string Activity, ItemRange Items, Pace Pace);

/// <summary>Sub-orchestrator that runs an activity for each item of a range, such as the units of a file.</summary>
public static class RunActivities
{
    [Function(nameof(RunActivities))]
    public static Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context) =>
        RunAsync(context, context.GetInput<ActivityRange>()!);

    /// <summary>Runs an activity for each item of a range from within an orchestrator.</summary>
    /// <param name="finished">Receives the number of items that have been completed since the call before.</param>
    internal static Task RunAsync(TaskOrchestrationContext context, ActivityRange range, Action<int>? finished = null) =>
        NestedFanOut.ForEachAsync(
            context, range.Items, range.Pace,
            (item, _) => context.CallActivityAsync(range.Activity, new DatasetItem(range.Dataset, item), Retries.Transient),
            (items, pace) => context.CallSubOrchestratorAsync(
                nameof(RunActivities), range with { Items = items, Pace = pace }, NestedFanOut.Options(context, range.Activity, items)),
            finished);
}

/// <summary>
/// Reports the progress of an ingestion as its custom status: counts, rate and time left. Far below 16 kB, the limit of a custom status.
/// </summary>
internal sealed class ProgressReporter(TaskOrchestrationContext context, ResolvedDataset dataset)
{
    private static readonly TimeSpan LongPause = TimeSpan.FromMinutes(5);

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
            // A tenth of the ingestion's age up to five minutes, a twentieth from the 100th minute on: the first hour has about 65 polls,
            // a week 165. Each adds 8 events to the history.
            var age = context.CurrentUtcDateTime - _started;
            var pause = PollInterval.After(age, 10, age / 20 > LongPause ? age / 20 : LongPause);
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

/// <summary>Consecutive numbers of tables, files, units, parts or shards.</summary>
/// <param name="Weight">Activities that an item stands for, of which several can be in progress at once.</param>
public sealed record ItemRange(int First, int Count, int Weight = 1);

/// <summary>
/// Number of activities that may be in progress at once. It begins with what one instance of the app can work on and doubles every minute,
/// so that instances which the plan adds meanwhile have work, and no activity of a prediction waits behind hundreds of units.
/// </summary>
/// <param name="AtOnce">The number at full pace.</param>
/// <param name="Instances">Number of instances that <paramref name="AtOnce"/> is meant for.</param>
/// <param name="Since">Start of the ingestion.</param>
public sealed record Pace(int AtOnce, int Instances, DateTime Since)
{
    /// <summary>Returns the number at a time, at least 1.</summary>
    public int At(DateTime now) =>
        (int)Math.Clamp(Math.Ceiling(AtOnce * Math.Pow(2, (now - Since).TotalMinutes) / Instances), 1, AtOnce);

    /// <summary>Divides the pace among groups of activities.</summary>
    /// <param name="groups">Number of groups.</param>
    /// <param name="size">Number of activities of a group.</param>
    /// <returns>Number of groups in progress at once at full pace, and the pace of the activities within each.</returns>
    public (int Groups, Pace Within) Divide(int groups, long size)
    {
        // Twice as many groups as needed: while one begins or ends with few activities, others have more.
        var needed = 2 * ((AtOnce + size - 1) / size);
        var atOnce = (int)Math.Clamp(needed, 1, Math.Max(1, Math.Min(groups, AtOnce)));
        return (atOnce, this with { AtOnce = AtOnce / atOnce });
    }
}

/// <summary>
/// Fan-out of any size: an orchestration calls at most <see cref="Most"/> tasks. A larger range is divided into ranges for
/// sub-orchestrations that divide theirs, if need be.
/// </summary>
internal static class NestedFanOut
{
    /// <summary>
    /// A task adds 4 events to the history, and 8 more for each attempt after the first: even if all are tried three times, there are
    /// 1,280.
    /// </summary>
    public const int Most = 64;

    /// <summary>Names the sub-orchestration of a range. Names do not grow with the nesting, as the longest id has 100 characters.</summary>
    public static SubOrchestrationOptions Options(TaskOrchestrationContext context, string kind, ItemRange items) =>
        new(instanceId: $"{Parent(context, kind)}.{kind}-{items.First:D5}-{items.Count}");

    /// <summary>Returns the id of the orchestration whose range of a kind this one divides.</summary>
    public static string Parent(TaskOrchestrationContext context, string kind)
    {
        var (id, last) = (context.InstanceId, context.InstanceId.LastIndexOf('.'));
        return last >= 0 && id.AsSpan(last + 1).StartsWith($"{kind}-") ? id[..last] : id;
    }

    /// <param name="call">Calls the task of an item, with the pace of the activities within it.</param>
    /// <param name="callRange">Calls the sub-orchestration of a range.</param>
    /// <param name="finished">Receives the number of items that have been completed since the call before.</param>
    public static Task ForEachAsync(TaskOrchestrationContext context, ItemRange items, Pace pace,
        Func<int, Pace, Task> call, Func<ItemRange, Pace, Task> callRange, Action<int>? finished = null)
    {
        long size = 1;
        while ((items.Count + size - 1) / size > Most) size *= Most;
        ItemRange[] ranges =
        [
            .. Enumerable.Range(0, (int)((items.Count + size - 1) / size)).Select(range => items with
            {
                First = items.First + (int)(range * size),
                Count = (int)Math.Min(size, items.Count - (range * size)),
            }),
        ];
        var (atOnce, within) = pace.Divide(ranges.Length, size * items.Weight);
        return BoundedFanOut.ForEachAsync(
            ranges, () => Math.Min(atOnce, pace.At(context.CurrentUtcDateTime)),
            range => size == 1 ? call(range.First, within) : callRange(range, within),
            range => finished?.Invoke(range.Count));
    }
}

/// <summary>Fan-out of an orchestrator with a bound on the number of open tasks.</summary>
internal static class BoundedFanOut
{
    /// <summary>
    /// Calls the items' tasks in order, at most <paramref name="atOnce"/> at a time, and reports each completion. Awaits only the
    /// orchestrator's own tasks, so that a replay is deterministic. The first failure ends the fan-out.
    /// </summary>
    public static async Task ForEachAsync<TItem>(
        IReadOnlyList<TItem> items, Func<int> atOnce, Func<TItem, Task> call, Action<TItem>? finished = null)
    {
        var next = 0;
        var waiting = new List<(Task Task, TItem Item)>();
        while (next < items.Count || waiting.Count > 0)
        {
            for (var most = atOnce(); next < items.Count && waiting.Count < most; next++) waiting.Add((call(items[next]), items[next]));
            // Tasks that are open at a failure run on, but nothing is started after them.
            var first = await Task.WhenAny(waiting.Select(open => open.Task));
            var ended = waiting.FindIndex(open => open.Task == first);
            var (_, item) = waiting[ended];
            waiting.RemoveAt(ended);
            await first;
            finished?.Invoke(item);
        }
    }
}

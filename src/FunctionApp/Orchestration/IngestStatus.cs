using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Custom status of an ingestion: counts, rate and time left. Far below 16 kB, the limit of a custom status.</summary>
internal sealed class IngestStatus(TaskOrchestrationContext context, ResolvedDataset dataset)
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
        context.SetCustomStatus(new RunStatus
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
            var progress = await context.CallActivityAsync<IngestProgress>(nameof(DatasetActivities.ReadProgress), dataset.Blobs, Retries.Transient);
            _before ??= progress.Counts;
            Report(message, progress.Counts);
            if (reading.IsCompleted) break;
            using var stop = new CancellationTokenSource();
            await Task.WhenAny(reading, context.CreateTimer(GrowingPause.After(context.CurrentUtcDateTime - _started, 10, LongestPause), stop.Token));
            stop.Cancel();
        }
        await reading;
    }

    private IngestRate? RateAt(RowCounts counts)
    {
        var seconds = (context.CurrentUtcDateTime - _started).TotalSeconds;
        if (_before is null || seconds <= 0) return null;
        var rows = (counts.Rows - _before.Rows) / seconds;
        return new IngestRate(rows, (counts.Stored - _before.Stored) / seconds, (counts.Bytes - _before.Bytes) / seconds,
            rows > 0 ? (dataset.Rows - counts.Rows) / rows : null);
    }
}

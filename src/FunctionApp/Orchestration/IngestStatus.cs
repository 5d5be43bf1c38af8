using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Activities;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>The custom status of an ingestion: counts, rates and what is left, far below 16 kB.</summary>
internal sealed class IngestStatus(TaskOrchestrationContext context, ResolvedDataset dataset)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly DateTime _started = context.CurrentUtcDateTime;

    // What was there already says nothing about how fast it goes.
    private RowCounts? _before;

    private RowCounts _last = new();

    /// <summary>Shows what is being done.</summary>
    /// <param name="counts">Rows so far; those of the report before when left out.</param>
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

    /// <summary>Waits for the reading of rows, and shows how far it is.</summary>
    public async Task WatchAsync(string message, Task reading)
    {
        Report(message);
#pragma warning disable DURABLE0011 // The loop ends with what it watches, and its pauses grow: the history stays short.
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

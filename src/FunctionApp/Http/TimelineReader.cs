using DurableTask.Core;
using DurableTask.Core.History;
using FunctionsPipeline.Contracts;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Makes timelines of orchestrations from their histories.</summary>
internal static class TimelineReader
{
    private const int MostSpans = 500;

    /// <summary>Reads the timeline of an orchestration; null when there is no such orchestration.</summary>
    public static async Task<Timeline?> ReadAsync(DurableTaskClient client, string instance, CancellationToken cancellationToken)
    {
        if (await client.GetInstanceAsync(instance, cancellationToken) is not { } metadata) return null;
        DateTimeOffset? ended = metadata.IsCompleted ? metadata.LastUpdatedAt : null;
        var spans = Spans(await client.GetOrchestrationHistoryAsync(instance, cancellationToken), ended);
        return new Timeline(
            instance, metadata.Name, metadata.RuntimeStatus.ToString(), metadata.CreatedAt, ended,
            [.. spans.Skip(spans.Count - MostSpans)], Math.Max(0, spans.Count - MostSpans));
    }

    /// <summary>Makes spans of the events of a history, in the order of their beginnings.</summary>
    /// <param name="ended">End of the orchestration, with which everything ends; null while it is in progress.</param>
    internal static IReadOnlyList<TimelineSpan> Spans(IEnumerable<HistoryEvent> history, DateTimeOffset? ended)
    {
        var course = new Course();
        foreach (var happened in history) course.Add(happened);
        return course.Spans(ended);
    }

    /// <summary>Spans of a history so far.</summary>
    private sealed class Course
    {
        private readonly List<TimelineSpan> _spans = [];

        // Positions in `_spans` of what has not ended, by the ids of the events that began it.
        private readonly Dictionary<int, int> _open = [];

        // Histories have no inputs, so that repeated calls are told by their way: the turn of the orchestrator in which a call failed
        // creates a timer, and the turn in which that timer fires makes the call again.
        private readonly Queue<TimelineSpan> _failed = [];
        private readonly Dictionary<int, TimelineSpan> _waiting = [];
        private readonly List<TimelineSpan> _repeated = [];
        private DateTimeOffset _turn;

        public IReadOnlyList<TimelineSpan> Spans(DateTimeOffset? ended)
        {
            foreach (var span in _open.Values) _spans[span] = _spans[span] with { EndedAt = ended };
            return [.. _spans.OrderBy(span => span.StartedAt)];
        }

        public void Add(HistoryEvent happened)
        {
            switch (happened)
            {
                case OrchestratorStartedEvent turn:
                    _turn = At(turn.Timestamp);
                    _failed.Clear();
                    _repeated.Clear();
                    break;
                case TaskScheduledEvent activity:
                    Begin(SpanKind.Activity, activity, activity.Name!);
                    break;
                case SubOrchestrationInstanceCreatedEvent sub:
                    Begin(SpanKind.SubOrchestration, sub, sub.Name!, sub.InstanceId);
                    break;
                case TimerCreatedEvent timer:
                    Begin(SpanKind.Timer, timer, "timer");
                    if (_failed.TryDequeue(out var failed)) _waiting[timer.EventId] = failed;
                    break;
                case TaskCompletedEvent completed:
                    End(completed.TaskScheduledId, At(completed.Timestamp));
                    break;
                case SubOrchestrationInstanceCompletedEvent completed:
                    End(completed.TaskScheduledId, At(completed.Timestamp));
                    break;
                case TimerFiredEvent fired:
                    // The event itself has the time of the timer's creation, and storage may fire it a second early or late.
                    End(fired.TimerId, _turn);
                    if (_waiting.Remove(fired.TimerId, out var repeated)) _repeated.Add(repeated);
                    break;
                case TaskFailedEvent failure:
                    End(failure.TaskScheduledId, At(failure.Timestamp), Error(failure.FailureDetails, failure.Reason));
                    break;
                case SubOrchestrationInstanceFailedEvent failure:
                    End(failure.TaskScheduledId, At(failure.Timestamp), Error(failure.FailureDetails, failure.Reason));
                    break;
                case EventRaisedEvent raised:
                    var at = At(raised.Timestamp);
                    _spans.Add(new TimelineSpan { Kind = SpanKind.Event, Name = raised.Name!, StartedAt = at, EndedAt = at });
                    break;
            }
        }

        private void Begin(SpanKind kind, HistoryEvent begun, string name, string? instance = null)
        {
            var repeated = _repeated.Find(span => (span.Kind, span.Name) == (kind, name));
            if (repeated is not null) _repeated.Remove(repeated);
            _open[begun.EventId] = _spans.Count;
            _spans.Add(new TimelineSpan
            {
                Kind = kind,
                Name = name,
                StartedAt = At(begun.Timestamp),
                Attempt = 1 + (repeated?.Attempt ?? 0),
                Instance = instance,
            });
        }

        private void End(int id, DateTimeOffset at, string? error = null)
        {
            if (!_open.Remove(id, out var span)) return;
            _spans[span] = _spans[span] with { EndedAt = at, Error = error };
            if (error is not null) _failed.Enqueue(_spans[span]);
        }
    }

    private static DateTimeOffset At(DateTime utc) => new(DateTime.SpecifyKind(utc, DateTimeKind.Utc));

    // From the outermost failure to its cause; a message that quotes the next one says it too.
    private static string Error(FailureDetails? failure, string? reason)
    {
        var messages = new List<string>();
        for (; failure is not null; failure = failure.InnerFailure)
        {
            var message = FailureReason.WithoutTask(failure.ErrorMessage);
            if (!messages.Any(known => known.Contains(message, StringComparison.Ordinal))) messages.Add(message);
        }
        return messages.Count > 0 ? string.Join(" Cause: ", messages) : reason ?? "It failed without a reason.";
    }
}

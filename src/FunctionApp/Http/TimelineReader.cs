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
        var spans = new List<TimelineSpan>();
        // Positions in `spans` of what has not ended, by the ids of their first events; those of calls with what makes a call the same.
        var open = new Dictionary<int, (int Span, (string? Name, string? Input) Call)>();
        var failures = new Dictionary<(string? Name, string? Input), int>();
        foreach (var happened in history)
        {
            switch (happened)
            {
                case TaskScheduledEvent activity:
                    Begin(SpanKind.Activity, activity, activity.Name, activity.Input);
                    break;
                case SubOrchestrationInstanceCreatedEvent sub:
                    Begin(SpanKind.SubOrchestration, sub, sub.Name, sub.Input, sub.InstanceId);
                    break;
                case TimerCreatedEvent timer:
                    Begin(SpanKind.Timer, timer, "timer", input: null);
                    break;
                case TaskCompletedEvent completed:
                    End(completed.TaskScheduledId, completed, null);
                    break;
                case SubOrchestrationInstanceCompletedEvent completed:
                    End(completed.TaskScheduledId, completed, null);
                    break;
                case TimerFiredEvent fired:
                    End(fired.TimerId, fired, null);
                    break;
                case TaskFailedEvent failed:
                    End(failed.TaskScheduledId, failed, Error(failed.FailureDetails, failed.Reason));
                    break;
                case SubOrchestrationInstanceFailedEvent failed:
                    End(failed.TaskScheduledId, failed, Error(failed.FailureDetails, failed.Reason));
                    break;
                case EventRaisedEvent raised:
                    spans.Add(new TimelineSpan
                    {
                        Kind = SpanKind.Event, Name = raised.Name!, StartedAt = At(raised), EndedAt = At(raised),
                    });
                    break;
            }
        }
        foreach (var (span, _) in open.Values) spans[span] = spans[span] with { EndedAt = ended };
        return [.. spans.OrderBy(span => span.StartedAt)];

        void Begin(SpanKind kind, HistoryEvent begun, string? name, string? input, string? instance = null)
        {
            open[begun.EventId] = (spans.Count, (name, input));
            spans.Add(new TimelineSpan
            {
                Kind = kind,
                Name = name!,
                StartedAt = At(begun),
                // A call that is the same as one that failed, and comes after it, repeats it.
                Attempt = 1 + failures.GetValueOrDefault((name, input)),
                Instance = instance,
            });
        }

        void End(int id, HistoryEvent ended, string? error)
        {
            if (!open.Remove(id, out var begun)) return;
            spans[begun.Span] = spans[begun.Span] with { EndedAt = At(ended), Error = error };
            if (error is null) failures.Remove(begun.Call);
            else failures[begun.Call] = spans[begun.Span].Attempt;
        }
    }

    private static DateTimeOffset At(HistoryEvent happened) => new(DateTime.SpecifyKind(happened.Timestamp, DateTimeKind.Utc));

    // Messages from the outermost failure to its cause, each once: an outer one often quotes the inner one.
    private static string Error(FailureDetails? failure, string? reason)
    {
        var messages = new List<string>();
        for (; failure is not null; failure = failure.InnerFailure)
            if (!messages.Any(message => message.Contains(failure.ErrorMessage, StringComparison.Ordinal))) messages.Add(failure.ErrorMessage);
        return messages.Count > 0 ? string.Join(" ← ", messages) : reason ?? "failed without a reason";
    }
}

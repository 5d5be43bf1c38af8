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
        return [];
    }
}

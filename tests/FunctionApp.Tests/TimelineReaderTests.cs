using DurableTask.Core;
using DurableTask.Core.History;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class TimelineReaderTests
{
    private static readonly DateTime Start = new(2026, 5, 1, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void Calls_and_waits_last_from_their_beginning_to_their_end()
    {
        var spans = TimelineReader.Spans(
        [
            At(0, new ExecutionStartedEvent(-1, "{}") { Name = "FineTune" }),
            At(1, new TaskScheduledEvent(0, "Mirror", "", "a")),
            At(2, new SubOrchestrationInstanceCreatedEvent(1) { Name = "Ingest", InstanceId = "r.ingest" }),
            At(3, new TaskCompletedEvent(-1, 0, "")),
            At(4, new TimerCreatedEvent(2, Start.AddSeconds(9))),
            At(5, new EventRaisedEvent(-1, "") { Name = "AskNow" }),
            At(9, new OrchestratorStartedEvent(-1)), At(4, new TimerFiredEvent(-1, Start.AddSeconds(8)) { TimerId = 2 }),
            At(10, new SubOrchestrationInstanceCompletedEvent(-1, 1, "")),
            At(11, new TaskScheduledEvent(3, "Train", "", "b")),
        ], ended: null);
        Assert.Equal(
            [
                (SpanKind.Activity, "Mirror", 1, 3), (SpanKind.SubOrchestration, "Ingest", 2, 10), (SpanKind.Timer, "timer", 4, 9),
                (SpanKind.Event, "AskNow", 5, 5), (SpanKind.Activity, "Train", 11, -1),
            ],
            spans.Select(span => (span.Kind, span.Name, Seconds(span.StartedAt), Seconds(span.EndedAt))));
        Assert.Equal("r.ingest", spans[1].Instance);
    }

    [Fact]
    public void A_call_that_is_made_again_after_a_pause_is_counted_and_another_one_is_not()
    {
        var spans = TimelineReader.Spans(
        [
            At(0, new OrchestratorStartedEvent(-1)),
            At(0, new TaskScheduledEvent(0, "Unit", "", null)), At(0, new TaskScheduledEvent(1, "Unit", "", null)),
            At(1, new OrchestratorStartedEvent(-1)), At(1, new TaskFailedEvent(-1, 0, "It broke.", "")),
            At(1, new TimerCreatedEvent(2, Start.AddSeconds(3))),
            // Another unit, in the place of one that ended meanwhile.
            At(2, new OrchestratorStartedEvent(-1)), At(2, new TaskCompletedEvent(-1, 1, "")),
            At(2, new TaskScheduledEvent(3, "Unit", "", null)),
            At(3, new OrchestratorStartedEvent(-1)), At(1, new TimerFiredEvent(-1, Start.AddSeconds(3)) { TimerId = 2 }),
            At(3, new TaskScheduledEvent(4, "Unit", "", null)),
            At(4, new OrchestratorStartedEvent(-1)), At(4, new TaskFailedEvent(-1, 4, "", "", Failure(
                "Task 'Unit' (#4) failed with an unhandled exception: The unit failed.", Failure("The disk is full.", null)))),
            At(4, new TimerCreatedEvent(5, Start.AddSeconds(9))),
            At(9, new OrchestratorStartedEvent(-1)), At(4, new TimerFiredEvent(-1, Start.AddSeconds(9)) { TimerId = 5 }),
            At(9, new TaskScheduledEvent(6, "Unit", "", null)),
        ], ended: null);
        Assert.Equal(
            [(0, 1), (0, 1), (2, 1), (3, 2), (9, 3)],
            spans.Where(span => span.Kind == SpanKind.Activity).Select(span => (Seconds(span.StartedAt), span.Attempt)));
        Assert.Equal(
            ["It broke.", "The unit failed. Cause: The disk is full."], spans.Select(span => span.Error).OfType<string>());
        Assert.Equal(
            [(1, 3), (4, 9)],
            spans.Where(span => span.Kind == SpanKind.Timer).Select(span => (Seconds(span.StartedAt), Seconds(span.EndedAt))));
    }

    [Fact]
    public void Everything_ends_with_its_orchestration()
    {
        var spans = TimelineReader.Spans([At(1, new TimerCreatedEvent(0, Start.AddDays(1)))], new DateTimeOffset(Start.AddSeconds(7)));
        Assert.Equal(7, Seconds(Assert.Single(spans).EndedAt));
    }

    [Fact]
    public async Task Of_a_long_history_the_latest_spans_are_shown()
    {
        var client = new FakeDurableClient();
        client.Set("r", OrchestrationRuntimeStatus.Running);
        client.Histories["r"] = [.. Enumerable.Range(0, 502).Select(i => At(i, new TaskScheduledEvent(i, $"A{i}", "", "")))];
        var timeline = (await TimelineReader.ReadAsync(client, "r", default))!;
        Assert.Equal((500, 2, "A2"), (timeline.Spans.Count, timeline.LeftOut, timeline.Spans[0].Name));
        Assert.Null(timeline.EndedAt);
        Assert.Null(await TimelineReader.ReadAsync(client, "other", default));
    }

    private static FailureDetails Failure(string message, FailureDetails? inner) => new("E", message, null, inner, false);

    private static HistoryEvent At(int second, HistoryEvent happened)
    {
        happened.Timestamp = Start.AddSeconds(second);
        return happened;
    }

    private static int Seconds(DateTimeOffset? at) => at is { } time ? (int)(time - Start).TotalSeconds : -1;
}

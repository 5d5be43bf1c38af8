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
            At(9, new TimerFiredEvent(-1, Start.AddSeconds(9)) { TimerId = 2 }),
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
    public void A_call_that_repeats_a_failed_one_is_counted_and_one_of_another_input_is_not()
    {
        var spans = TimelineReader.Spans(
        [
            At(0, new TaskScheduledEvent(0, "Unit", "", "a")), At(0, new TaskScheduledEvent(1, "Unit", "", "b")),
            At(1, new TaskFailedEvent(-1, 0, "it broke", "")),
            At(2, new TaskScheduledEvent(2, "Unit", "", "c")),
            At(3, new TaskScheduledEvent(3, "Unit", "", "a")),
            At(4, new TaskFailedEvent(-1, 3, "", "", new FailureDetails(
                "E", "the unit failed", null, new FailureDetails("E", "the disk is full", null, null, false), false))),
            At(5, new TaskScheduledEvent(4, "Unit", "", "a")),
            At(6, new TaskCompletedEvent(-1, 4, "")),
            At(7, new TaskScheduledEvent(5, "Unit", "", "a")),
        ], ended: null);
        Assert.Equal([1, 1, 1, 2, 3, 1], spans.Select(span => span.Attempt));
        Assert.Equal(
            ["it broke", null, null, "the unit failed ← the disk is full", null, null], spans.Select(span => span.Error));
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

    private static HistoryEvent At(int second, HistoryEvent happened)
    {
        happened.Timestamp = Start.AddSeconds(second);
        return happened;
    }

    private static int Seconds(DateTimeOffset? at) => at is { } time ? (int)(time - Start).TotalSeconds : -1;
}

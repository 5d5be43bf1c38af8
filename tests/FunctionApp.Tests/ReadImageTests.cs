using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>The waiting for a worker, on an orchestration whose timers take no time.</summary>
public sealed class ReadImageTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly ImageReading Reading = new("a.jpg", "1", Start, Start, Start.AddHours(1));

    [Theory]
    [InlineData(ReadingState.Answered)]
    [InlineData(ReadingState.Superseded)]
    public async Task An_answer_and_a_superseded_version_end_the_reading(ReadingState state)
    {
        var (orchestration, asked) = Asking(Reading, _ => new WorkerReply(state));
        Assert.Equal(state, await ReadImage.RunAsync(orchestration));
        Assert.Equal([Reading], asked);
        Assert.Empty(orchestration.Timers);
    }

    [Theory]
    [InlineData(ReadingState.Busy, 0)]
    [InlineData(ReadingState.NotReady, 3)]
    [InlineData(ReadingState.Away, 3)]
    public async Task A_worker_that_cannot_answer_is_waited_for_as_long_as_the_reply_says(ReadingState state, int tries)
    {
        var pauses = new Queue<int>([3, 5, 8]);
        var (orchestration, asked) = Asking(Reading, _ => pauses.TryDequeue(out var pause)
            ? new WorkerReply(state, TimeSpan.FromSeconds(pause), "why")
            : new WorkerReply(ReadingState.Answered));
        Assert.Equal(ReadingState.Answered, await ReadImage.RunAsync(orchestration));
        Assert.Equal([3, 5, 8], orchestration.Timers.Select(timer => timer.TotalSeconds));
        Assert.Equal(new ReadingProgress(state, "why", tries), orchestration.Statuses[^1]);
        Assert.Equal(tries, asked[^1].Tries);
        Assert.All(asked, reading => Assert.Null(reading.Failure));
    }

    [Fact]
    public async Task An_event_ends_the_wait_at_once()
    {
        var replies = 0;
        var waits = new FakeOrchestration(Reading with { WaitsSince = Start.AddHours(-1) }) { EventsComeFirst = true };
        waits.On<ImageReading, WorkerReply>(nameof(ReadingActivities.AskWorker), reading =>
        {
            Assert.Equal(replies == 0 ? Start.AddHours(-1) : Start, reading.WaitsSince);
            return ++replies < 3
                ? new WorkerReply(ReadingState.NotReady, TimeSpan.FromDays(1), "no model")
                : new WorkerReply(ReadingState.Answered);
        });
        Assert.Equal(ReadingState.Answered, await ReadImage.RunAsync(waits));
    }

    [Fact]
    public async Task A_reading_out_of_patience_is_failed_with_the_last_reason()
    {
        var (orchestration, asked) = Asking(Reading, reading => reading.Failure is null
            ? new WorkerReply(ReadingState.Away, TimeSpan.FromMinutes(25), "refused")
            : new WorkerReply(ReadingState.Answered));
        Assert.Equal(ReadingState.Answered, await ReadImage.RunAsync(orchestration));
        Assert.Equal(PredictionFailure.OutOfPatience, asked[^1].Failure!.Reason);
        Assert.Contains("Last: refused", asked[^1].Failure!.Detail, StringComparison.Ordinal);
        Assert.Equal(4, asked[^1].Tries);
    }

    [Fact]
    public async Task An_image_that_breaks_the_worker_three_times_is_failed()
    {
        var (orchestration, asked) = Asking(Reading, reading => reading.Failure is null
            ? new WorkerReply(ReadingState.Broken, TimeSpan.FromSeconds(5), "connection reset")
            : new WorkerReply(ReadingState.Answered));
        await ReadImage.RunAsync(orchestration);
        Assert.Equal(PredictionFailure.BreaksWorker, asked[^1].Failure!.Reason);
        Assert.Contains("connection reset", asked[^1].Failure!.Detail, StringComparison.Ordinal);
        Assert.Equal(4, asked.Count);
        Assert.Equal(2, orchestration.Timers.Count);
    }

    [Fact]
    public async Task An_activity_that_fails_is_tried_again_also_when_it_is_to_write_the_failure()
    {
        var calls = 0;
        var (orchestration, asked) = Asking(Reading with { Deadline = Start }, _ => ++calls switch
        {
            1 or 3 => throw new InvalidOperationException("storage is away"),
            2 => throw new InvalidOperationException("storage is still away"),
            _ => new WorkerReply(ReadingState.Answered),
        });
        Assert.Equal(ReadingState.Answered, await ReadImage.RunAsync(orchestration));
        Assert.Equal(4, asked.Count);
        Assert.Contains("storage is away", asked[^1].Failure!.Detail, StringComparison.Ordinal);
        Assert.Equal(2, orchestration.Timers.Count);
    }

    [Fact]
    public async Task A_long_wait_continues_with_a_new_history_and_the_same_state()
    {
        var (orchestration, _) = Asking(Reading, _ => new WorkerReply(ReadingState.Away, TimeSpan.FromSeconds(1), "refused"));
        await ReadImage.RunAsync(orchestration);
        Assert.Equal(Reading with { Tries = 10 }, orchestration.Continued);
    }

    [Fact]
    public void The_id_of_a_reading_depends_on_name_version_and_cause_and_is_a_valid_instance_id()
    {
        var ids = new[]
        {
            ImageReadings.Id("a/b.jpg", "1"), ImageReadings.Id("a/b.jpg", "2"), ImageReadings.Id("a/c.jpg", "1"),
            ImageReadings.Id("a/b.jpg", "1", "retry"),
        };
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.Equal(ids[0], ImageReadings.Id("a/b.jpg", "1"));
        Assert.All(ids, id => Assert.Matches("^image\\.[0-9a-f]{32}$", id));
    }

    [Fact]
    public async Task Images_are_read_again_page_by_page_under_ids_of_the_request()
    {
        var pages = new Dictionary<string, DocumentPage>
        {
            [""] = new([Reading, Reading with { Image = "b.jpg" }], "next"),
            ["next"] = new([Reading with { Image = "c.jpg" }], null),
        };
        var input = new ReadAgainInput(new PredictionFilter(PredictionStatus.Failed), null, new ReadAgainProgress(0));
        var read = new List<string>();
        var first = Again(input);
        await ReadImagesAgain.RunAsync(first);
        var second = Again(Assert.IsType<ReadAgainInput>(first.Continued));
        Assert.Equal(new ReadAgainProgress(3), await ReadImagesAgain.RunAsync(second));
        Assert.Equal(["a.jpg", "b.jpg", "c.jpg"], read);
        Assert.Null(second.Continued);

        FakeOrchestration Again(ReadAgainInput given) => new FakeOrchestration(given)
            .On<DocumentPageInput, DocumentPage>(nameof(ReadingActivities.ListDocuments), page => pages[page.Continuation ?? ""])
            .On<ImageReading, ReadingState>(nameof(ReadImage), image =>
            {
                read.Add(image.Image);
                return ReadingState.Answered;
            });
    }

    private static (FakeOrchestration Orchestration, List<ImageReading> Asked) Asking(
        ImageReading reading, Func<ImageReading, WorkerReply> reply)
    {
        var asked = new List<ImageReading>();
        var orchestration = new FakeOrchestration(reading).On<ImageReading, WorkerReply>(nameof(ReadingActivities.AskWorker), given =>
        {
            asked.Add(given);
            return reply(given);
        });
        return (orchestration, asked);
    }
}

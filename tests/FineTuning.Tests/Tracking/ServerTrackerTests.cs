using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class ServerTrackerTests
{
    private static readonly TrackingTimes Quick = new()
    {
        Call = TimeSpan.FromSeconds(5),
        Pause = TimeSpan.FromMilliseconds(5),
        FirstWait = TimeSpan.FromMilliseconds(5),
        LongestWait = TimeSpan.FromMilliseconds(20),
        Silence = TimeSpan.FromSeconds(10),
    };

    private static readonly TrainingResult Succeeded = new() { Run = "r1", Succeeded = true };

    private readonly CountingLogger _logger = new();

    [Fact]
    public async Task Records_arrive_in_their_order_and_the_end_last()
    {
        var server = new Server();
        await using (var tracker = Start(server))
        {
            for (var step = 0; step < 2500; step++) tracker.Record(Line(step));
            tracker.Record(new GalleryStep(2500, []));
            await tracker.EndAsync(Succeeded, default);
        }
        Assert.Equal(Enumerable.Range(0, 2501), server.Steps);
        Assert.Same(Succeeded, server.Result);
        Assert.True(server.HasEnded && server.IsDisposed);
    }

    [Fact]
    public async Task The_status_tells_the_page_and_what_keeps_records_from_it()
    {
        var server = new Server { Fault = () => new TrackingException(HttpStatusCode.ServiceUnavailable, "down") };
        await using var tracker = Start(server);
        await UntilAsync(() => tracker.Status.Problem is not null);
        Assert.Equal(new TrackerStatus("Test", null, "down"), tracker.Status);
        server.Fault = () => null;
        tracker.Record(Line(1));
        await UntilAsync(() => server.Steps.Count == 1);
        Assert.Equal(new TrackerStatus("Test", "http://h/run", null), tracker.Status);
        Assert.Equal(1, _logger.Warnings);
    }

    [Fact]
    public async Task A_call_without_an_answer_is_repeated_and_named_as_such()
    {
        var server = new Server { IsSilent = true };
        await using var tracker = Start(server, Quick with { Call = TimeSpan.FromMilliseconds(50) });
        await UntilAsync(() => tracker.Status.Problem is not null);
        Assert.Equal("The server did not answer within 0.05 seconds.", tracker.Status.Problem);
        server.IsSilent = false;
        await UntilAsync(() => tracker.Status is { Url: not null, Problem: null });
    }

    [Fact]
    public async Task A_run_that_is_refused_is_not_tracked_and_says_why()
    {
        var server = new Server { Fault = () => new TrackingException(HttpStatusCode.Unauthorized, "who are you?") };
        await using var tracker = Start(server);
        await tracker.EndAsync(Succeeded, default);
        Assert.Equal(new TrackerStatus("Test", null, "who are you?"), tracker.Status);
        Assert.False(server.HasEnded);
    }

    [Fact]
    public async Task A_protocol_that_breaks_does_not_break_the_run()
    {
        var server = new Server { Fault = () => new InvalidOperationException("a bug") };
        await using var tracker = Start(server);
        await tracker.EndAsync(Succeeded, default);
        Assert.Equal("a bug", tracker.Status.Problem);
        Assert.Equal(1, _logger.Warnings);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_end_waits_a_limited_time_for_a_server_that_is_down(bool stopped)
    {
        var server = new Server { Fault = () => new HttpRequestException("down") };
        var clock = Stopwatch.StartNew();
        await using var tracker = Start(server, Quick with { Call = TimeSpan.Zero, Silence = TimeSpan.FromMilliseconds(100) });
        await tracker.EndAsync(stopped ? null : Succeeded, default);
        Assert.InRange(clock.Elapsed, TimeSpan.FromMilliseconds(90), TimeSpan.FromSeconds(5));
        Assert.Equal("Not everything got there before the run had to end. down", tracker.Status.Problem);
    }

    [Theory]
    [InlineData(false, 30)]
    [InlineData(true, 0)]
    public async Task A_run_with_a_result_waits_for_as_long_as_the_server_takes_things(bool stopped, int atLeast)
    {
        var server = new Server { Delay = TimeSpan.FromMilliseconds(200) };
        // Half of the six seconds that the server takes, and far more than a busy machine lets a call of 0.2 seconds wait.
        await using var tracker = Start(server, Quick with { Silence = TimeSpan.FromSeconds(3), Together = 1 });
        for (var step = 0; step < 30; step++) tracker.Record(Line(step));
        await tracker.EndAsync(stopped ? null : Succeeded, default);
        Assert.InRange(server.Steps.Count, atLeast, stopped ? 20 : 30);
    }

    [Fact]
    public async Task A_silent_run_shows_that_it_lives_where_the_server_wants_that()
    {
        var server = new Server { LongestSilence = TimeSpan.FromMilliseconds(20) };
        await using var tracker = Start(server);
        await UntilAsync(() => server.Sends > 3);
        Assert.Empty(server.Steps);
        tracker.Record(Line(1));
        await tracker.EndAsync(Succeeded, default);
        Assert.Equal([1], server.Steps);
    }

    private ServerTracker Start(Server server, TrackingTimes? times = null) =>
        new(server, "r1", TimeProvider.System, _logger, times ?? Quick);

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = 0, Seconds = 0 };

    private static async Task UntilAsync(Func<bool> holds)
    {
        for (var patience = Stopwatch.StartNew(); !holds(); await Task.Delay(5))
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(30), "That did not come.");
    }

    private sealed class Server : ITrackingServer
    {
        public string Name => "Test";

        public Uri Url { get; } = new("http://h");

        public string? Page { get; private set; }

        public TimeSpan LongestSilence { get; init; } = Timeout.InfiniteTimeSpan;

        public Func<Exception?> Fault { get; set; } = () => null;

        public bool IsSilent { get; set; }

        public TimeSpan Delay { get; init; }

        public ConcurrentQueue<int> Steps { get; } = new();

        public int Sends { get; private set; }

        public TrainingResult? Result { get; private set; }

        public bool HasEnded { get; private set; }

        public bool IsDisposed { get; private set; }

        public Task<bool> StartAsync(PersistentCall persist) => persist(async token =>
        {
            await AnswerAsync(token);
            Page = "http://h/run";
        });

        public Task SendAsync(IReadOnlyList<TrackedRecord> records, PersistentCall persist) => persist(async token =>
        {
            await AnswerAsync(token);
            Sends++;
            foreach (var record in records) Steps.Enqueue(record.Line?.Step ?? record.Gallery!.Step);
        });

        public Task EndAsync(TrainingResult? result, PersistentCall persist)
        {
            (Result, HasEnded) = (result, true);
            return persist(AnswerAsync);
        }

        public void Dispose() => IsDisposed = true;

        private async Task AnswerAsync(CancellationToken cancellationToken)
        {
            if (Fault() is { } fault) throw fault;
            await Task.Delay(IsSilent ? Timeout.InfiniteTimeSpan : Delay, cancellationToken);
        }
    }
}

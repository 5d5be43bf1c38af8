using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class RunProgressWriterTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("progress-").FullName;
    private readonly LocalRunStore _store;

    public RunProgressWriterTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Lines_reach_every_tracker_and_documents_are_written_at_the_beat()
    {
        Recorder first = new(), second = new() { Status = new TrackerStatus("Test", "http://h", null) };
        await using var progressWriter = Start(TimeSpan.FromMilliseconds(20), first, second);
        var document = new Recorder();
        progressWriter.AddDocument(document);
        progressWriter.Record(new MetricsLine { Step = 1, Epoch = 0, Seconds = 0 });
        progressWriter.EnterPhase("training");
        await document.Flushed.Task.WaitAsync(TimeSpan.FromSeconds(30));
        progressWriter.Record(new GalleryStep(1, []));
        Assert.Equal((1, 1), (first.Lines, second.Lines));
        Assert.Equal((1, 1), (first.Galleries, second.Galleries));

        var result = new TrainingResult { Run = "r1", Succeeded = true };
        await progressWriter.EndAsync(result, default);
        Assert.Equal((result, result), (first.Result, second.Result));
        var heartbeat = (await HeartbeatAsync())!;
        Assert.Equal("training", heartbeat.Phase);
        Assert.Equal([new TrackerStatus("Test", "http://h", null)], heartbeat.Trackers);
    }

    [Fact]
    public async Task A_tracker_that_fails_keeps_no_other_from_writing_but_fails_the_last_write()
    {
        Recorder bad = new() { Fails = true }, good = new();
        await using var progressWriter = Start(TimeSpan.FromHours(1), bad, good);
        await Assert.ThrowsAsync<IOException>(() => progressWriter.EndAsync(null, default));
        Assert.True(good.Flushed.Task.IsCompleted);
        Assert.NotNull(await HeartbeatAsync());
    }

    [Fact]
    public async Task A_write_that_times_out_does_not_end_the_heartbeats()
    {
        var slow = new Recorder { TimesOutOnce = true };
        await using var progressWriter = Start(TimeSpan.FromMilliseconds(20), slow);
        await slow.Flushed.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private RunProgressWriter Start(TimeSpan interval, params ITracker[] trackers) =>
        new(_store, "r1", trackers, interval, TimeProvider.System, progress: null, NullLogger.Instance);

    private async Task<Heartbeat?> HeartbeatAsync() => JsonSerializer.Deserialize<Heartbeat>(
        await _store.ReadAsync(Containers.Runs, new RunBlobs("r1").Heartbeat, default), PipelineJson.Options);

    private sealed class Recorder : ITracker
    {
        public TrackerStatus? Status { get; init; }

        public bool Fails { get; init; }

        public bool TimesOutOnce { get; set; }

        public int Lines { get; private set; }

        public int Galleries { get; private set; }

        public TrainingResult? Result { get; private set; }

        public TaskCompletionSource Flushed { get; } = new();

        public void Record(MetricsLine line) => Lines++;

        public void Record(GalleryStep gallery) => Galleries++;

        public async Task FlushAsync(CancellationToken cancellationToken)
        {
            await Task.Yield();
            if (Fails) throw new IOException("full");
            if (TimesOutOnce)
            {
                TimesOutOnce = false;
                throw new TaskCanceledException("no answer in time");
            }
            Flushed.TrySetResult();
        }

        public Task EndAsync(TrainingResult? result, CancellationToken cancellationToken)
        {
            Result = result;
            return Task.CompletedTask;
        }
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.FineTuning.Tracking.Wandb;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests.Tracking.Wandb;

public sealed class WandbRunTests : IAsyncLifetime
{
    private static readonly TrainingJob Job = new()
    {
        Run = "r1",
        BaseModel = "base",
        OutputModel = "out",
        Dataset = "a/b@c",
        Shards = [],
        Settings = new TrainingSettings { LearningRate = 0.002, Question = "What is \"this\"?" },
    };

    private static readonly TrainingResult Succeeded = new()
    {
        Run = "r1", Succeeded = true, Steps = 3, Test = new EvaluationMetrics { Loss = 0.5, Samples = 1 },
    };

    private static readonly TrackingTimes Quick = new()
    {
        Pause = TimeSpan.FromMilliseconds(5),
        FirstWait = TimeSpan.FromMilliseconds(5),
        LongestWait = TimeSpan.FromMilliseconds(20),
        Silence = TimeSpan.FromSeconds(10),
    };

    private static readonly byte[] Red = Png(Color.Red);
    private static readonly byte[] Blue = Png(Color.Blue);

    private readonly string _root = Directory.CreateTempSubdirectory("wandb-").FullName;
    private readonly RecordingLogger _logger = new();
    private readonly LocalRunStore _store;
    private FakeWandb _server = null!;

    public WandbRunTests() => _store = new LocalRunStore(_root);

    public async Task InitializeAsync() => _server = await FakeWandb.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_root, recursive: true);
        Assert.Empty(_server.Violations);
        Assert.All(_server.Runs.Values, run => Assert.Empty(run.Dropped));
        Assert.DoesNotContain(_logger.Entries, entry => entry.Text.Contains(FakeWandb.Key));
    }

    [Fact]
    public async Task A_run_arrives_with_its_settings_metrics_summary_and_end()
    {
        await using (var tracker = Start(variables: new() { ["WANDB_TAGS"] = "spring, shop", ["WANDB_RUN_GROUP"] = "season" }))
        {
            tracker.Record(Line(0) with { Loss = null, Validation = new EvaluationMetrics { Loss = 3, Samples = 1 } });
            for (var step = 1; step <= 3; step++) tracker.Record(Line(step));
            tracker.Record(Line(2) with { Step = 3, Loss = null, Validation = new EvaluationMetrics { Loss = 0.25, Samples = 1 } });
            await tracker.EndAsync(Succeeded, default);
            Assert.Equal(new TrackerStatus("Weights & Biases", $"{_server.Server}shop-team/catalog/runs/r1", null), tracker.Status);
        }
        Assert.Equal(("shop-team", "catalog", "r1"), Assert.Single(_server.Runs).Key);
        var run = _server.Run;
        Assert.Equal(
            ("r1", "season", "train"),
            ((string)run.Settings["name"]!, (string)run.Settings["group"]!, (string)run.Settings["jobType"]!));
        Assert.Equal(["spring", "shop"], run.Settings["tags"]!.AsArray().Select(tag => (string)tag!));
        Assert.Equal(0.002, (double)run.Config["learningRate"]!["value"]!);
        Assert.Equal(16, (int)run.Config["lora"]!["value"]!["rank"]!);
        Assert.Equal("What is \"this\"?", (string)run.Config["question"]!["value"]!);
        Assert.Equal("a/b@c", (string)run.Config["dataset"]!["value"]!);
        Assert.NotNull(run.Config["_wandb"]!["value"]!["t"]);

        Assert.Equal([0, 1, 2, 3], run.Steps);
        Assert.Equal((1.0, 0.5), ((double)run.Lines[1]["epoch"]!, (double)run.Lines[1]["train/loss"]!));
        var last = run.Lines[3];
        Assert.Equal((0.25, 0.25, 0.5), ((double)last["train/loss"]!, (double)last["validation/loss"]!, (double)last["test/loss"]!));
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1e3 - (double)last["_timestamp"]!, -1, 60);
        var summary = run.Summary!;
        Assert.Equal((0.25, 3, 0.5, 3), ((double)summary["validation/best_loss"]!, (int)summary["validation/best_step"]!,
            (double)summary["test/loss"]!, (int)summary["_step"]!));
        Assert.Equal(("finished", 0), (run.State, run.ExitCode));
    }

    [Fact]
    public async Task A_step_is_sent_once_the_next_one_begins()
    {
        await using var tracker = Start();
        tracker.Record(Line(1));
        tracker.Record(Line(2));
        await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.History.Count == 1);
        Assert.Equal([1], _server.Run.Steps);
        Assert.Equal(1, (int)_server.Run.Summary!["_step"]!);
    }

    [Theory]
    [InlineData("lr", "lr")]
    [InlineData(null, null)]
    public async Task Runs_of_a_sweep_are_a_group(string? sweep, string? group)
    {
        await using (var tracker = Start(Job with { Sweep = sweep })) await tracker.EndAsync(Succeeded, default);
        Assert.Equal(group, (string?)_server.Run.Settings["group"]);
    }

    [Fact]
    public async Task System_metrics_arrive_under_the_names_of_wandb()
    {
        await using (var tracker = Start())
        {
            await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.Events.Count >= 3);
            await tracker.EndAsync(null, default);
        }
        var lines = _server.Run.Events.Select(line => JsonNode.Parse(line)!).ToList();
        // A processor's time is counted in ticks, of which a short interval may have more than fit.
        Assert.All(lines, line => Assert.InRange((double)line["system.cpu"]!, 0, 1000));
        Assert.InRange((double)lines[0]["system.memory_percent"]!, 0, 100);
        Assert.InRange((double)lines[0]["system.proc.memory.rssMB"]!, 10, 100_000);
        Assert.InRange((double)lines[0]["system.proc.memory.availableMB"]!, 0, 10_000_000);
        Assert.True((double)lines[0]["_runtime"]! < (double)lines[1]["_runtime"]!);
        Assert.True((double)lines[0]["_timestamp"]! < (double)lines[1]["_timestamp"]!);
    }

    [Fact]
    public async Task The_gallery_arrives_as_images_with_captions_each_uploaded_once()
    {
        await using (var tracker = Start())
        {
            foreach (var step in new[] { 0, 1 })
            {
                tracker.Record(Gallery(step));
                tracker.Record(Line(step));
            }
            await tracker.EndAsync(Succeeded, default);
        }
        var run = _server.Run;
        var galleries = run.Lines.Select(line => line["gallery"]!).ToList();
        Assert.Equal(2, galleries.Count);
        Assert.All(galleries, gallery => Assert.Equal(("images/separated", 6, 4, "png", 2), ((string)gallery["_type"]!,
            (int)gallery["width"]!, (int)gallery["height"]!, (string)gallery["format"]!, (int)gallery["count"]!)));
        Assert.Equal("answer 1 to red\n\nTrue: Hats\nConfidence: 0.75", (string)galleries[1]["captions"]![0]!);
        var paths = galleries[1]["filenames"]!.AsArray().Select(path => (string)path!).ToList();
        Assert.All(paths, path => Assert.StartsWith("media/images/gallery_", path));
        Assert.Equal([Red, Blue], paths.Select(path => run.Uploads[path]));
        Assert.Equal(paths.Order(), run.Told.Order());
        Assert.Equal(2, _server.Calls.Count(call => call == "storage"));
        Assert.Equal(2, (int)run.Summary!["gallery"]!["count"]!);
    }

    [Fact]
    public async Task Images_whose_storage_cannot_be_reached_hold_up_no_metrics()
    {
        _server.Fault = call => call == "storage" ? new Fault(503) : null;
        await using (var tracker = Start())
        {
            tracker.Record(Gallery(0));
            tracker.Record(Line(0));
            for (var step = 1; step < 5; step++) tracker.Record(Line(step));
            await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.Steps is [0, 1, 2, 3]);
            _server.Fault = _ => null;
            await tracker.EndAsync(Succeeded, default);
        }
        Assert.Equal(2, _server.Run.Told.Count);
        Assert.Equal("finished", _server.Run.State);
    }

    [Fact]
    public async Task A_preempted_run_is_not_finished_and_the_next_attempt_goes_on_in_it()
    {
        await AttemptAsync(1, 10, result: null);
        Assert.Equal(("running", true), (_server.Run.State, _server.Run.IsPreempting));
        var before = _server.Run.Events.Count;
        await AttemptAsync(11, 12, Succeeded);
        Assert.Single(_server.Runs);
        Assert.Equal(Enumerable.Range(1, 12), _server.Run.Steps);
        Assert.Equal(("finished", 0, false), (_server.Run.State, _server.Run.ExitCode, _server.Run.IsPreempting));
        var runtimes = _server.Run.Events.Select(line => (double)JsonNode.Parse(line)!["_runtime"]!).ToList();
        Assert.Equal(runtimes.Order(), runtimes);
    }

    [Fact]
    public async Task Steps_that_a_resumed_run_repeats_are_not_sent_again()
    {
        await AttemptAsync(1, 17, result: null);
        // The last checkpoint was that of step 10.
        await new MetricsFile(_store, "r1").CutAsync(10, default);
        await AttemptAsync(11, 20, Succeeded);
        Assert.Equal(Enumerable.Range(1, 20), _server.Run.Steps);
        Assert.Equal(20, (int)_server.Run.Summary!["_step"]!);
    }

    [Fact]
    public async Task What_an_attempt_could_not_send_is_sent_by_the_next_from_storage()
    {
        await AttemptAsync(1, 5, result: null);
        _server.Fault = _ => new Fault(503);
        await AttemptAsync(6, 9, result: null, Quick with { Silence = TimeSpan.FromMilliseconds(50) }, galleryAt: 8);
        _server.Fault = _ => null;
        await AttemptAsync(10, 11, Succeeded);
        var run = _server.Run;
        Assert.Equal(Enumerable.Range(1, 11), run.Steps);
        Assert.Equal(11, run.Lines.Count(line => line["train/loss"] is not null));
        var gallery = run.Lines.Single(line => (int)line["_step"]! == 8)["gallery"]!;
        Assert.Equal("answer 8 to red\n\nTrue: Hats\nConfidence: 0.75", (string)gallery["captions"]![0]!);
        Assert.Equal([Red, Blue], gallery["filenames"]!.AsArray().Select(path => run.Uploads[(string)path!]));
    }

    [Fact]
    public async Task An_outage_ends_with_everything_caught_up()
    {
        DateTimeOffset began, ended;
        await using (var tracker = Start())
        {
            for (var step = 1; step <= 20; step++) tracker.Record(Line(step));
            await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.History.Count == 19);
            _server.Fault = _ => new Fault(502, "<html>bad gateway</html>");
            began = DateTimeOffset.UtcNow;
            for (var step = 21; step <= 500; step++) tracker.Record(Line(step));
            await UntilAsync(() => tracker.Status.Problem is not null);
            Assert.Contains("502: <html>bad gateway", tracker.Status.Problem);
            await Task.Delay(300);
            ended = DateTimeOffset.UtcNow;
            _server.Fault = _ => null;
            await UntilAsync(() => _server.Run.History.Count == 499 && tracker.Status.Problem is null);
            await tracker.EndAsync(Succeeded, default);
        }
        Assert.Equal(Enumerable.Range(1, 500), _server.Run.Steps);
        var measured = _server.Run.Events.Select(line => (double)JsonNode.Parse(line)!["_timestamp"]!);
        Assert.Contains(measured, at => at > began.ToUnixTimeMilliseconds() / 1e3 && at < ended.ToUnixTimeMilliseconds() / 1e3);
    }

    [Fact]
    public async Task Lines_that_a_full_queue_dropped_are_read_back_from_storage()
    {
        await WriteAsync(Enumerable.Range(1, 900).Select(Line));
        using var run = Create();
        await run.StartAsync(OnceAsync);
        await run.SendAsync([Record(1), Record(2)], OnceAsync);
        await run.SendAsync([Record(800), Record(801)], OnceAsync);
        await run.EndAsync(null, OnceAsync);
        Assert.Equal(Enumerable.Range(1, 800), _server.Run.Steps);
    }

    [Theory]
    [InlineData("RunResumeStatus")]
    [InlineData("UpsertBucket")]
    [InlineData("CreateRunFiles")]
    [InlineData("storage")]
    [InlineData("file_stream")]
    public async Task A_call_whose_answer_is_lost_is_repeated_and_counts_once(string call)
    {
        var lost = 0;
        _server.Fault = name => name == call && lost++ % 3 == 0 ? new Fault(IsLost: true) : null;
        await AttemptAsync(1, 30, Succeeded, galleryAt: 3);
        Assert.True(lost > 1);
        Assert.Equal(Enumerable.Range(1, 30), _server.Run.Steps);
        Assert.Equal(2, _server.Run.Told.Count);
        Assert.Single(_server.Runs);
    }

    [Fact]
    public async Task Many_lines_go_in_requests_of_about_a_megabyte()
    {
        var requests = 0;
        _server.Fault = call =>
        {
            if (call == "file_stream") requests++;
            return null;
        };
        await WriteAsync(Enumerable.Range(1, 20_000).Select(Line));
        await AttemptAsync(20_001, 20_002, Succeeded);
        Assert.Equal(20_002, _server.Run.Steps.Count);
        Assert.InRange(requests, 3, 20);
    }

    [Theory]
    [InlineData(429, "0")]
    [InlineData(503, null)]
    [InlineData(408, null)]
    public async Task What_a_server_refuses_for_the_moment_is_told_again(int status, string? retryAfter)
    {
        var failures = 0;
        _server.Fault = _ => failures++ % 3 == 0 ? new Fault(status, RetryAfter: retryAfter) : null;
        await AttemptAsync(1, 3, Succeeded);
        Assert.Equal([1, 2, 3], _server.Run.Steps);
        Assert.Equal("finished", _server.Run.State);
    }

    [Fact]
    public async Task A_stream_without_words_is_an_answer()
    {
        _server.StreamAnswer = "";
        await AttemptAsync(1, 3, Succeeded);
        Assert.Equal("finished", _server.Run.State);
        Assert.Empty(_logger.Warnings);
    }

    [Fact]
    public async Task A_conflict_of_two_writers_passes()
    {
        var failures = 0;
        _server.Fault = call => call == "UpsertBucket" && failures++ < 2 ? new Fault(409) : null;
        await AttemptAsync(1, 2, Succeeded);
        Assert.Equal([1, 2], _server.Run.Steps);
    }

    [Fact]
    public async Task A_rate_limit_is_kept_to()
    {
        _server.Headers["RateLimit-Remaining"] = "2";
        _server.Headers["RateLimit-Reset"] = "1";
        var clock = Stopwatch.StartNew();
        await using var tracker = Start();
        tracker.Record(Line(1));
        await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.Requests >= 3);
        // Two requests are left for a second: one every half second.
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(0.99), TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData(401, "user is not logged in", "401: user is not logged in (check WANDB_API_KEY)")]
    [InlineData(403, "permission denied", "403: permission denied (check WANDB_ENTITY and WANDB_PROJECT)")]
    [InlineData(404, "entity not found", "404: entity not found (check WANDB_ENTITY and WANDB_PROJECT)")]
    [InlineData(410, "run is deleted", "410: run is deleted (the run was deleted there, and its id cannot be used again)")]
    [InlineData(200, "no", "refused a request: no")]
    public async Task A_run_that_is_refused_is_not_tracked_and_says_once_why(int status, string message, string said)
    {
        _server.Fault = _ => new Fault(status, new { errors = new[] { new { message } } });
        await using var tracker = Start();
        await UntilAsync(() => tracker.Status.Problem is not null);
        Assert.Contains(said, tracker.Status.Problem);
        tracker.Record(Line(1));
        await tracker.EndAsync(Succeeded, default);
        Assert.Single(_server.Calls);
        Assert.Single(_logger.Warnings);
    }

    [Fact]
    public async Task A_run_that_is_refused_later_is_given_up()
    {
        await using var tracker = Start();
        tracker.Record(Line(1));
        await UntilAsync(() => _server.Runs.Count == 1 && _server.Run.Requests > 0);
        _server.Fault = call => call == "file_stream" ? new Fault(401, new { error = "the key is revoked" }) : null;
        await UntilAsync(() => tracker.Status.Problem is not null);
        var calls = _server.Calls.Count;
        for (var step = 2; step < 50; step++) tracker.Record(Line(step));
        await Task.Delay(100);
        await tracker.EndAsync(Succeeded, default);
        Assert.Equal(calls, _server.Calls.Count);
        Assert.Contains("the key is revoked", tracker.Status.Problem);
    }

    [Theory]
    [InlineData("<html>Sign in to the hotel's network</html>")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"data\":null}")]
    [InlineData("{\"data\":{\"model\":{\"bucket\":{\"historyLineCount\":\"many\"}}}}")]
    [InlineData("{\"data\":{\"model\":{\"bucket\":{\"id\":\"x\",\"historyLineCount\":3,\"historyTail\":\"?\"}}}}")]
    [InlineData("{\"data\":{\"model\":{\"bucket\":{\"id\":\"x\",\"historyLineCount\":3,\"historyTail\":\"[]\"}}}}")]
    public async Task A_server_that_answers_anything_else_is_asked_again(string answer)
    {
        var failures = 0;
        _server.Fault = _ => failures++ < 2 ? new Fault(200, answer) : null;
        await AttemptAsync(1, 2, Succeeded);
        Assert.Equal([1, 2], _server.Run.Steps);
        Assert.Contains("Check WANDB_BASE_URL.", Assert.Single(_logger.Warnings));
    }

    [Fact]
    public async Task The_key_is_in_no_message_even_if_the_server_repeats_it()
    {
        _server.Fault = _ => new Fault(401, new { error = $"bad key {FakeWandb.Key}" });
        await using var tracker = Start();
        await tracker.EndAsync(Succeeded, default);
        Assert.Contains("bad key …", tracker.Status.Problem);
        Assert.DoesNotContain(FakeWandb.Key, $"{tracker.Status}");
    }

    [Theory]
    [InlineData("result.json", """{"run":"r1","succeeded":false,"pruned":{"reason":"median","step":3,"validationLoss":1}}""", 0)]
    [InlineData("cancelled.json", "{}", 255)]
    public async Task A_stopped_run_that_no_attempt_resumes_is_finished(string document, string content, int exitCode)
    {
        await _store.WriteAsync(Containers.Runs, $"r1/{document}", Encoding.UTF8.GetBytes(content), default);
        await AttemptAsync(1, 3, result: null);
        Assert.Equal(("finished", exitCode), (_server.Run.State, _server.Run.ExitCode));
    }

    [Fact]
    public async Task A_failed_run_tells_its_error()
    {
        await AttemptAsync(1, 3, new TrainingResult { Run = "r1", Succeeded = false, Error = "The loss is not finite." });
        Assert.Equal(("finished", 1), (_server.Run.State, _server.Run.ExitCode));
        Assert.Equal("The loss is not finite.", (string)_server.Run.Summary!["error"]!);
        Assert.Equal([1, 2, 3], _server.Run.Steps);
    }

    [Fact]
    public async Task A_run_without_records_sends_at_its_end_what_storage_has()
    {
        await WriteAsync(Enumerable.Range(0, 4).Select(Line));
        await using (var tracker = Start()) await tracker.EndAsync(Succeeded, default);
        Assert.Equal([0, 1, 2, 3], _server.Run.Steps);
    }

    [Fact]
    public async Task A_run_that_ended_in_an_outage_is_sent_later()
    {
        _server.Fault = _ => new Fault(503);
        await AttemptAsync(0, 3, Succeeded, Quick with { Silence = TimeSpan.FromMilliseconds(50) }, galleryAt: 2);
        Assert.Empty(_server.Runs);
        await Assert.ThrowsAsync<TrainingException>(SendAsync);
        _server.Fault = _ => null;
        var result = JsonSerializer.SerializeToUtf8Bytes(Succeeded, PipelineJson.Options);
        await _store.WriteAsync(Containers.Runs, "r1/result.json", result, default);
        Assert.Equal($"{_server.Server}shop-team/catalog/runs/r1", await SendAsync());
        // Again: the server has everything.
        await SendAsync();
        var run = _server.Run;
        Assert.Equal([0, 1, 2, 3], run.Steps);
        Assert.Equal(("finished", 0, 0.5), (run.State, run.ExitCode, (double)run.Summary!["test/loss"]!));
        Assert.Equal(2, run.Told.Count);
        Assert.Empty(run.Events);

        Task<string> SendAsync() => EndedRun.SendAsync(Options(), _store, Job, TimeProvider.System, _logger, default);
    }

    private WandbOptions Options(Dictionary<string, string>? variables = null)
    {
        variables ??= [];
        foreach (var (name, value) in new[]
        {
            ("WANDB_API_KEY", FakeWandb.Key), ("WANDB_PROJECT", "catalog"), ("WANDB_BASE_URL", $"{_server.Server}"),
        }) variables[name] = value;
        return WandbOptions.Read(variables.GetValueOrDefault, NullLogger.Instance)!;
    }

    private WandbRun Create(TrainingJob? job = null, Dictionary<string, string>? variables = null) => new(
        Options(variables), job ?? Job, _store, gpu: null, TimeProvider.System, _logger, TimeSpan.FromMilliseconds(20));

    private ServerTracker Start(TrainingJob? job = null, TrackingTimes? times = null, Dictionary<string, string>? variables = null) =>
        new(Create(job, variables), "r1", TimeProvider.System, _logger, times ?? Quick);

    /// <summary>An attempt of the run that measures some steps, as the run's documents and the tracker get them.</summary>
    private async Task AttemptAsync(int first, int last, TrainingResult? result, TrackingTimes? times = null, int? galleryAt = null)
    {
        await using var tracker = Start(times: times);
        for (var step = first; step <= last; step++)
        {
            var line = Line(step);
            if (step == galleryAt)
            {
                var gallery = Gallery(step);
                tracker.Record(gallery);
                await WriteAsync(gallery);
                line = line with { Validation = new EvaluationMetrics { Loss = line.Loss!.Value, Samples = 1 } };
            }
            tracker.Record(line);
            await WriteAsync([line]);
        }
        await tracker.EndAsync(result, default);
    }

    private Task WriteAsync(IEnumerable<MetricsLine> lines) => _store.AppendAsync(
        Containers.Runs, "r1/metrics.jsonl",
        Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => JsonSerializer.Serialize(line, PipelineJson.Compact) + "\n"))), default);

    private async Task WriteAsync(GalleryStep gallery)
    {
        foreach (var sample in gallery.Samples)
            await _store.WriteAsync(Containers.Runs, $"r1/samples/{sample.Image}", sample.Content, default);
        var document = new SampleGallery([.. gallery.Samples.Select(sample => new GallerySample(
            sample.Image, sample.Truth, [new GalleryAnswer(gallery.Step, sample.Answer, sample.Confidence)]))]);
        var json = JsonSerializer.SerializeToUtf8Bytes(document, PipelineJson.Options);
        await _store.WriteAsync(Containers.Runs, "r1/samples/samples.json", json, default);
    }

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = step, Seconds = step, Loss = 1.0 / (step + 1) };

    private static TrackedRecord Record(int step) => new(DateTimeOffset.UtcNow, Line(step), null);

    private static GalleryStep Gallery(int step) => new(step,
    [
        new GalleryEntry("1.png", Red, "Hats", $"answer {step} to red", new Confidence(0.75, null, 0.75, null)),
        new GalleryEntry("2.png", Blue, "Coats", $"answer {step} to blue", new Confidence(0.5, null, 0.5, null)),
    ]);

    private static byte[] Png(Color color)
    {
        using var image = new Image<Rgb24>(6, 4, color);
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }

    private static async Task<bool> OnceAsync(Func<CancellationToken, Task> call, TimeSpan? timeLimit = null, int attempts = 1)
    {
        await call(CancellationToken.None);
        return true;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); !condition(); await Task.Delay(5))
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), "Nothing of the kind happened for half a minute.");
    }

    private sealed class RecordingLogger : ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Entries { get; } = new();

        public IEnumerable<string> Warnings => Entries.Where(entry => entry.Level >= LogLevel.Warning).Select(entry => entry.Text);

        public IDisposable? BeginScope<T>(T state) where T : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<T>(LogLevel logLevel, EventId eventId, T state, Exception? exception, Func<T, Exception?, string> formatter) =>
            Entries.Enqueue((logLevel, $"{formatter(state, exception)} {exception}"));
    }
}

using System.Diagnostics;
using System.Net.Http.Headers;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class MlflowRunTests
{
    private static readonly TrainingJob Job = new()
    {
        Run = "r1",
        BaseModel = "base",
        OutputModel = "out",
        Dataset = "a/b@c",
        Shards = [],
        Settings = new TrainingSettings { LearningRate = 0.002, Question = new string('q', 600) },
    };

    private static readonly TrainingResult Succeeded = new()
    {
        Run = "r1", Succeeded = true, Steps = 3, Test = new EvaluationMetrics { Loss = 0.5, Samples = 1 },
    };

    private static readonly TrackingTimes Quick = new()
    {
        Pause = TimeSpan.FromMilliseconds(10),
        FirstWait = TimeSpan.FromMilliseconds(10),
        LongestWait = TimeSpan.FromMilliseconds(40),
        Silence = TimeSpan.FromSeconds(20),
    };

    [Fact]
    public async Task A_run_arrives_with_its_parameters_metrics_and_end()
    {
        await using var server = new FakeMlflow();
        await using (var tracking = Start(server))
        {
            for (var step = 1; step <= 1500; step++) tracking.Record(Line(step));
            await tracking.EndAsync(Succeeded, default);
        }
        var (id, (created, status)) = Assert.Single(server.Runs);
        Assert.Equal(("FINISHED", "r1", "7"), (status, (string)created["run_name"]!, (string)created["experiment_id"]!));
        Assert.Equal(["0.002", "a/b@c", "cosine", "16"],
            new[] { "learningRate", "dataset", "schedule", "lora.rank" }.Select(name => server.Parameters[name]));
        Assert.Equal(500, server.Parameters["question"].Length);
        Assert.Equal(Enumerable.Range(1, 1500), server.Metrics.Where(m => (string)m["key"]! == "train/loss").Select(m => (int)m["step"]!));
        var test = server.Metrics.Last();
        Assert.Equal(("test/loss", 0.5, 3), ((string)test["key"]!, (double)test["value"]!, (int)test["step"]!));
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (long)test["timestamp"]!, 0, 60_000);
        Assert.All(server.Calls.Where(call => call.Path == "runs/log-batch"), call =>
        {
            Assert.InRange(call.Body!["metrics"]?.AsArray().Count ?? 0, 0, 1000);
            Assert.InRange(call.Body["params"]?.AsArray().Count ?? 0, 0, 100);
            Assert.Equal(id, (string)call.Body["run_id"]!);
        });
        Assert.All(server.Calls, call => Assert.Equal("Bearer secret", call.Authorization));
    }

    [Theory]
    [InlineData("https://h/tracking", "https://h/tracking/#/experiments/7/runs/a1")]
    [InlineData("https://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s", null)]
    public void A_run_has_a_page_where_the_server_has_pages(string server, string? page) =>
        Assert.Equal(page, new MlflowOptions(new Uri(server), "e", null).Page("7", "a1"));

    [Theory]
    [InlineData(null, null)]
    [InlineData("lr", "functions_pipeline_sweep=lr")]
    public async Task Runs_of_a_sweep_have_a_tag_to_be_grouped_by(string? sweep, string? tag)
    {
        await using var server = new FakeMlflow();
        await using (var tracking = Start(server, Job with { Sweep = sweep })) await tracking.EndAsync(Succeeded, default);
        var tags = Assert.Single(server.Runs).Value.Created["tags"]!.AsArray().Select(one => $"{one!["key"]}={one["value"]}");
        Assert.Equal([.. new[] { "functions_pipeline_run=r1", "mlflow.runName=r1", tag }.OfType<string>()], tags);
    }

    [Fact]
    public async Task An_attempt_that_goes_on_goes_on_in_the_same_run()
    {
        await using var server = new FakeMlflow();
        await using (var first = Start(server)) first.Record(Line(1));
        Assert.Equal("KILLED", Assert.Single(server.Runs).Value.Status);
        await using (var second = Start(server))
        {
            second.Record(Line(2));
            await second.EndAsync(Succeeded with { Succeeded = false }, default);
        }
        Assert.Equal("FAILED", Assert.Single(server.Runs).Value.Status);
        Assert.Contains("RUNNING", server.Calls.Where(call => call.Path == "runs/update").Select(call => (string)call.Body!["status"]!));
        Assert.Single(server.Experiments);
        Assert.Equal([1, 2], server.Metrics.Where(m => (string)m["key"]! == "train/loss").Select(m => (int)m["step"]!));
    }

    [Theory]
    [InlineData(500, null)]
    [InlineData(503, null)]
    [InlineData(429, "0")]
    public async Task What_a_server_refuses_for_the_moment_is_told_again(int status, string? retryAfter)
    {
        var failures = 0;
        await using var server = new FakeMlflow();
        server.Fault = path => path is "runs/create" or "runs/log-batch" && failures++ < 12 ? (status, retryAfter) : null;
        await using (var tracking = Start(server))
        {
            tracking.Record(Line(1));
            await tracking.EndAsync(Succeeded, default);
        }
        Assert.Equal("FINISHED", Assert.Single(server.Runs).Value.Status);
        Assert.Equal(["train/loss", "test/loss"], server.Metrics.Select(m => (string)m["key"]!));
    }

    [Fact]
    public async Task A_server_is_left_alone_as_long_as_it_wants()
    {
        await using var server = new FakeMlflow();
        var asked = Stopwatch.StartNew();
        server.Fault = path => path == "runs/search" && asked.Elapsed < TimeSpan.FromSeconds(1) ? (429, "2") : null;
        await using (var tracking = Start(server)) await tracking.EndAsync(Succeeded, default);
        Assert.Equal(2, server.Calls.Count(call => call.Path == "runs/search"));
        Assert.True(asked.Elapsed > TimeSpan.FromSeconds(1.9));
    }

    [Fact]
    public async Task A_batch_that_is_refused_for_good_is_given_up_and_the_rest_goes_on()
    {
        await using var server = new FakeMlflow();
        var logger = new CountingLogger();
        server.Fault = path => path == "runs/log-batch" ? (400, null) : null;
        await using (var tracking = Start(server, logger: logger))
        {
            tracking.Record(Line(1));
            await tracking.EndAsync(Succeeded, default);
        }
        Assert.Equal("FINISHED", Assert.Single(server.Runs).Value.Status);
        Assert.Equal(1, logger.Warnings);
    }

    [Fact]
    public async Task A_server_that_is_slow_or_refuses_the_run_holds_nothing_up()
    {
        await using var server = new FakeMlflow { Delay = TimeSpan.FromSeconds(1) };
        var impatient = Quick with { Call = TimeSpan.FromMilliseconds(100), Silence = TimeSpan.FromMilliseconds(300) };
        await EndsSoonAsync(new MlflowOptions(server.Server, "e", null), impatient);
        server.Delay = default;
        server.Fault = _ => (401, null);
        await EndsSoonAsync(new MlflowOptions(server.Server, "e", null), Quick);
    }

    [Fact]
    public Task A_server_that_is_down_holds_nothing_up() =>
        EndsSoonAsync(new MlflowOptions(new Uri("http://127.0.0.1:9"), "e", null), Quick with { Silence = TimeSpan.FromMilliseconds(300) });

    [Theory]
    [InlineData("http://h:5000/a", "http://h:5000/a")]
    [InlineData("azureml://h.api.azureml.ms/mlflow/v1.0/subscriptions/s?", "https://h.api.azureml.ms/mlflow/v1.0/subscriptions/s?")]
    [InlineData("file:///tmp/mlruns", null)]
    [InlineData("databricks", null)]
    [InlineData("", null)]
    public void The_server_is_read_from_the_environment(string uri, string? expected) =>
        Assert.Equal(
            expected is null ? null : new Uri(expected),
            MlflowOptions.Read(name => name == "MLFLOW_TRACKING_URI" ? uri : null, NullLogger.Instance)?.Server);

    [Fact]
    public void Experiment_and_credentials_are_read_from_the_environment()
    {
        var variables = new Dictionary<string, string> { ["MLFLOW_TRACKING_URI"] = "http://h" };
        MlflowOptions Read() => MlflowOptions.Read(variables.GetValueOrDefault, NullLogger.Instance)!;
        Assert.Equal(("functions-pipeline", null), (Read().Experiment, Read().Authorization));
        variables["MLFLOW_EXPERIMENT_NAME"] = "e";
        variables["MLFLOW_TRACKING_USERNAME"] = "user";
        variables["MLFLOW_TRACKING_PASSWORD"] = "word";
        Assert.Equal(("e", new AuthenticationHeaderValue("Basic", "dXNlcjp3b3Jk")), (Read().Experiment, Read().Authorization));
        variables["MLFLOW_TRACKING_TOKEN"] = "t";
        Assert.Equal(new AuthenticationHeaderValue("Bearer", "t"), Read().Authorization);
    }

    private static async Task EndsSoonAsync(MlflowOptions options, TrackingTimes times)
    {
        var logger = new CountingLogger();
        var clock = Stopwatch.StartNew();
        await using (var tracking = Start(options, Job, logger, times))
        {
            for (var step = 0; step < 200_000; step++) tracking.Record(Line(step));
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
            await tracking.EndAsync(Succeeded, default);
        }
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8));
        Assert.InRange(logger.Warnings, 1, 3);
    }

    private static ServerTracker Start(FakeMlflow server, ILogger? logger = null) => Start(server, Job, logger);

    private static ServerTracker Start(FakeMlflow server, TrainingJob job, ILogger? logger = null) =>
        Start(new MlflowOptions(server.Server, "shop", new AuthenticationHeaderValue("Bearer", "secret")), job, logger, Quick);

    private static ServerTracker Start(MlflowOptions options, TrainingJob job, ILogger? logger, TrackingTimes times) => new(
        new MlflowRun(options, job, TimeProvider.System), job.Run, TimeProvider.System, logger ?? NullLogger.Instance, times);

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = 0, Seconds = 0, Loss = 1.0 / (step + 1) };
}

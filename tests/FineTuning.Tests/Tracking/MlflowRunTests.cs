using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class MlflowRunTests : IDisposable
{
    private const string GallerySteps = "7/run0/artifacts/gallery/step-";

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

    private static readonly TrainingResult Published = Succeeded with { Model = "r1-model" };

    private static readonly ConfusionRow[] Confusion =
        [new("Hats, \"red\"", new Dictionary<string, int> { [""] = 1, ["Hats"] = 2 })];

    private static readonly TrackingTimes Quick = new()
    {
        Pause = TimeSpan.FromMilliseconds(10),
        FirstWait = TimeSpan.FromMilliseconds(10),
        LongestWait = TimeSpan.FromMilliseconds(40),
        Silence = TimeSpan.FromSeconds(20),
    };

    private readonly string _root = Directory.CreateTempSubdirectory("mlflow-test-").FullName;
    private readonly LocalRunStore _store;

    public MlflowRunTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

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
        Assert.Equal(page, new MlflowOptions(new Uri(server), "e", "m", null).Page("7", "a1"));

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

    [Theory]
    [InlineData("mlflow-artifacts:/7")]
    [InlineData("mlflow-artifacts://127.0.0.1:{port}/7")]
    public async Task Gallery_confusion_and_model_are_artifacts_and_the_model_a_version_once(string root)
    {
        await using var server = new FakeMlflow();
        server.ArtifactRoot = root = root.Replace("{port}", $"{server.Server.Port}");
        var adapter = await StoreModelAsync();
        var result = Published with
        {
            FineTuned = new EvaluationMetrics
            {
                Loss = 1,
                Samples = 3,
                Confusion = Confusion,
                Fields = new Dictionary<string, FieldMetrics>
                {
                    ["brand"] = new(FieldKind.Category, null, 3, new FieldFigures()) { Confusion = Confusion },
                },
            },
        };
        // The second attempt stands for one whose result was lost.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            await using var tracking = Start(server);
            tracking.Record(Gallery(0));
            tracking.Record(Gallery(10));
            await tracking.EndAsync(result, default);
        }
        Assert.Equal(
            [
                "7/run0/artifacts/confusion/validation-brand.csv", "7/run0/artifacts/confusion/validation.csv",
                GallerySteps + "00000000.html", GallerySteps + "00000010.html",
                "7/run0/artifacts/model/README.md", "7/run0/artifacts/model/adapter/adapter_model.safetensors",
            ],
            server.Artifacts.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(adapter, server.Artifacts["7/run0/artifacts/model/adapter/adapter_model.safetensors"]);
        Assert.Equal(
            "\"category\",\"none\",\"Hats\"\r\n\"Hats, \"\"red\"\"\",\"1\",\"2\"\r\n",
            Encoding.UTF8.GetString(server.Artifacts["7/run0/artifacts/confusion/validation.csv"]));
        Assert.StartsWith("\"brand\"", Encoding.UTF8.GetString(server.Artifacts["7/run0/artifacts/confusion/validation-brand.csv"]));
        var page = Encoding.UTF8.GetString(server.Artifacts[GallerySteps + "00000010.html"]);
        Assert.Contains("<td>Hat &lt;1&gt;</td><td>Coat 10</td>", page);
        Assert.Contains("src=\"data:image/jpeg;base64,", page);
        var version = Assert.Single(server.ModelVersions);
        Assert.Equal(
            ("garments", "run0", $"{root}/run0/artifacts/model"),
            ((string)version["name"]!, (string)version["run_id"]!, (string)version["source"]!));
        Assert.Equal(
            ["functions_pipeline_run=r1", "functions_pipeline_model=models/r1-model"],
            version["tags"]!.AsArray().Select(tag => $"{tag!["key"]}={tag["value"]}"));
        Assert.All(server.Calls, call => Assert.Equal("Bearer secret", call.Authorization));
    }

    [Theory]
    [InlineData("file:///mlruns/7", true)]
    [InlineData("wasbs://c@a.blob.core.windows.net/7", true)]
    [InlineData("mlflow-artifacts:/7", false)]
    public async Task A_store_of_artifacts_that_cannot_be_used_is_named_and_costs_nothing_else(string root, bool serves)
    {
        await using var server = new FakeMlflow { ArtifactRoot = root, ServesArtifacts = serves };
        await StoreModelAsync();
        var logger = new CountingLogger();
        await using (var tracking = Start(server, logger))
        {
            tracking.Record(Gallery(0));
            tracking.Record(Line(1));
            await tracking.EndAsync(Published, default);
        }
        Assert.Equal(1, logger.Warnings);
        Assert.Contains(serves ? $"{root}/run0/artifacts" : "--no-serve-artifacts", logger.Text);
        Assert.Equal("FINISHED", Assert.Single(server.Runs).Value.Status);
        Assert.Contains("train/loss", server.Metrics.Select(m => (string)m["key"]!));
        Assert.Empty(server.Artifacts);
        Assert.Empty(server.ModelVersions);
    }

    [Fact]
    public async Task Metrics_do_not_wait_for_artifacts_that_are_caught_up_after_an_outage()
    {
        await using var server = new FakeMlflow();
        var isDown = true;
        server.Fault = path => isDown && path.StartsWith("mlflow-artifacts/", StringComparison.Ordinal) ? (500, null) : null;
        await using var tracking = Start(server);
        tracking.Record(Gallery(0));
        tracking.Record(Gallery(10));
        tracking.Record(Line(1));
        for (var patience = Stopwatch.StartNew(); server.Metrics.IsEmpty || server.Calls.Count < 5; await Task.Delay(5))
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(30));
        Assert.Empty(server.Artifacts);
        isDown = false;
        tracking.Record(Line(2));
        await tracking.EndAsync(Succeeded, default);
        Assert.Equal([GallerySteps + "00000000.html", GallerySteps + "00000010.html"], server.Artifacts.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_model_whose_files_were_refused_is_no_version()
    {
        await using var server = new FakeMlflow();
        await StoreModelAsync();
        server.Fault = path => path.EndsWith(".safetensors", StringComparison.Ordinal) ? (413, null) : null;
        await using (var tracking = Start(server)) await tracking.EndAsync(Published, default);
        Assert.Contains("7/run0/artifacts/model/README.md", server.Artifacts.Keys);
        Assert.Empty(server.ModelVersions);
    }

    [Fact]
    public async Task A_version_whose_response_was_lost_is_not_created_again()
    {
        await using var server = new FakeMlflow();
        await StoreModelAsync();
        var lost = false;
        server.Lose = path => path == "model-versions/create" && !lost && (lost = true);
        await using (var tracking = Start(server)) await tracking.EndAsync(Published, default);
        Assert.True(lost);
        Assert.Single(server.ModelVersions);
    }

    [Fact]
    public async Task A_server_that_is_slow_or_refuses_the_run_holds_nothing_up()
    {
        await using var server = new FakeMlflow { Delay = TimeSpan.FromSeconds(1) };
        var impatient = Quick with { Call = TimeSpan.FromMilliseconds(100), Silence = TimeSpan.FromMilliseconds(300) };
        await EndsSoonAsync(new MlflowOptions(server.Server, "e", "m", null), impatient);
        server.Delay = default;
        server.Fault = _ => (401, null);
        await EndsSoonAsync(new MlflowOptions(server.Server, "e", "m", null), Quick);
    }

    [Fact]
    public Task A_server_that_is_down_holds_nothing_up() =>
        EndsSoonAsync(
            new MlflowOptions(new Uri("http://127.0.0.1:9"), "e", "m", null), Quick with { Silence = TimeSpan.FromMilliseconds(300) });

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
        Assert.Equal(("functions-pipeline", "functions-pipeline", null), (Read().Experiment, Read().RegisteredModel, Read().Authorization));
        variables["MLFLOW_EXPERIMENT_NAME"] = "e";
        Assert.Equal(("e", "e"), (Read().Experiment, Read().RegisteredModel));
        variables["MLFLOW_REGISTERED_MODEL_NAME"] = "m";
        Assert.Equal(("e", "m"), (Read().Experiment, Read().RegisteredModel));
        variables["MLFLOW_TRACKING_USERNAME"] = "user";
        variables["MLFLOW_TRACKING_PASSWORD"] = "word";
        Assert.Equal(("e", new AuthenticationHeaderValue("Basic", "dXNlcjp3b3Jk")), (Read().Experiment, Read().Authorization));
        variables["MLFLOW_TRACKING_TOKEN"] = "t";
        Assert.Equal(new AuthenticationHeaderValue("Bearer", "t"), Read().Authorization);
    }

    private async Task EndsSoonAsync(MlflowOptions options, TrackingTimes times)
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

    private ServerTracker Start(FakeMlflow server, ILogger? logger = null) => Start(server, Job, logger);

    private ServerTracker Start(FakeMlflow server, TrainingJob job, ILogger? logger = null) =>
        Start(new MlflowOptions(server.Server, "shop", "garments", new AuthenticationHeaderValue("Bearer", "secret")), job, logger, Quick);

    private ServerTracker Start(MlflowOptions options, TrainingJob job, ILogger? logger, TrackingTimes times) => new(
        new MlflowRun(options, _store, job, TimeProvider.System, logger ?? NullLogger.Instance), job.Run, TimeProvider.System,
        logger ?? NullLogger.Instance, times);

    private async Task<byte[]> StoreModelAsync()
    {
        var adapter = new byte[3_000_000];
        new Random(1).NextBytes(adapter);
        await _store.WriteAsync(Containers.Models, "r1-model/README.md", "# Card"u8.ToArray(), default);
        await _store.WriteAsync(Containers.Models, "r1-model/adapter/adapter_model.safetensors", adapter, default);
        await _store.WriteAsync(Containers.Models, "r1-model/model.safetensors", adapter, default);
        return adapter;
    }

    private static GalleryStep Gallery(int step)
    {
        var image = TarShard.Png(600, 300, new Rgb24(200, 0, 0));
        return new GalleryStep(step, [new GalleryEntry("a.png", image, "Hat <1>", $"Coat {step}", new Confidence(1, null, null, null))]);
    }

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = 0, Seconds = 0, Loss = 1.0 / (step + 1) };
}

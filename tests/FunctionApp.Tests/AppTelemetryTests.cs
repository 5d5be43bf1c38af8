using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Telemetry;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace FunctionsPipeline.FunctionApp.Tests;

[Collection(WholeProcess.Name)]
public sealed class AppTelemetryTests : IDisposable
{
    private readonly ConcurrentQueue<Activity> _spans = [];
    private readonly ActivityListener _listener;
    private readonly string _folder = Directory.CreateTempSubdirectory("telemetry-").FullName;

    public AppTelemetryTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is PipelineTracing.SourceName or "test",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose()
    {
        _listener.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Without_their_settings_nothing_is_registered()
    {
        var services = new ServiceCollection();
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { [TelemetryServices.OtlpEndpoint] = " " }).Build();
        Assert.Null(services.AddTelemetry(configuration, "test"));
        Assert.Empty(services);
    }

    [Theory]
    [InlineData(TelemetryServices.OtlpEndpoint, "http://127.0.0.1:9")]
    [InlineData(
        TelemetryServices.AzureMonitor, "InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://127.0.0.1:9/")]
    public void With_a_setting_the_app_has_traces_metrics_and_the_functions_defaults(string setting, string value)
    {
        var builder = FunctionsApplication.CreateBuilder([]);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { [setting] = value });
        builder.AddAppTelemetry();
        using var services = builder.Services.BuildServiceProvider();
        Assert.NotNull(services.GetService<TracerProvider>());
        Assert.NotNull(services.GetService<MeterProvider>());
        var worker = services.GetRequiredService<IOptions<Microsoft.Azure.Functions.Worker.WorkerOptions>>().Value;
        Assert.Contains("WorkerOpenTelemetryEnabled", worker.Capabilities.Keys);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("Authorization=AAD", true)]
    [InlineData("ClientId=00000000-0000-0000-0000-000000000001;Authorization=AAD", true)]
    public void Azure_Monitor_is_asked_with_the_identity_of_the_settings(string? setting, bool hasIdentity)
    {
        var builder = FunctionsApplication.CreateBuilder([]);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            [TelemetryServices.AzureMonitor] =
                "InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://127.0.0.1:9/",
            [TelemetryServices.AzureMonitorIdentity] = setting,
        });
        builder.AddAppTelemetry();
        using var services = builder.Services.BuildServiceProvider();
        var credential = services.GetRequiredService<IOptions<AzureMonitorExporterOptions>>().Value.Credential;
        Assert.Equal(hasIdentity ? typeof(ManagedIdentityCredential) : null, credential?.GetType());
    }

    [Fact]
    public void An_identity_that_cannot_be_read_stops_the_start()
    {
        var builder = FunctionsApplication.CreateBuilder([]);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            [TelemetryServices.AzureMonitor] = "InstrumentationKey=00000000-0000-0000-0000-000000000001",
            [TelemetryServices.AzureMonitorIdentity] = "ClientId=1",
        });
        Assert.Throws<InvalidOperationException>(() => builder.AddAppTelemetry());
    }

    [Fact]
    public async Task Traces_metrics_and_logs_arrive_at_the_OTLP_endpoint()
    {
        var received = new ConcurrentDictionary<string, int>();
        await using var collector = await ServeAsync(request => received.AddOrUpdate(request.Path, 1, (_, count) => count + 1));
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            [TelemetryServices.OtlpEndpoint] = collector.Urls.First(),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        });
        builder.Services.AddTelemetry(builder.Configuration, "test");

        using (var app = builder.Build())
        {
            app.Services.StartTelemetry();
            using (PipelineTracing.StartJob("train", "run-1", _ => null)) PipelineMetrics.CountImage(100);
            app.Services.GetRequiredService<ILogger<AppTelemetryTests>>().LogInformation("hello");
        }

        Assert.Equal(["/v1/logs", "/v1/metrics", "/v1/traces"], received.Keys.Order());
    }

    [Fact]
    public async Task A_GPU_job_goes_on_with_the_trace_of_the_activity_that_starts_it()
    {
        var jobs = Jobs("echo \"traceparent: $TRACEPARENT\"; echo \"tracestate: $TRACESTATE\"");
        using var source = new ActivitySource("test");
        string output;
        ActivityTraceId trace;
        using (var activity = source.StartActivity("StartGpuJob")!)
        {
            activity.TraceStateString = "vendor=1";
            trace = activity.TraceId;
            output = await OutputAsync(jobs, await jobs.StartAsync("run-1", 1, default));
            Assert.Contains($"traceparent: {activity.Id}\n", output, StringComparison.Ordinal);
            Assert.EndsWith("tracestate: vendor=1", output, StringComparison.Ordinal);
        }
        await jobs.StopAsync(default);

        var parent = output.Split('\n')[0]["traceparent: ".Length..];
        using (PipelineTracing.StartJob("train", "run-1", name => name == PipelineTracing.TraceParent ? parent : null))
        {
        }
        var job = Assert.Single(_spans, span => span.OperationName == "train");
        Assert.Equal((trace, "run-1"), (job.TraceId, (string)job.GetTagItem("pipeline.run")!));
        Assert.True(job.HasRemoteParent);
    }

    [Fact]
    public async Task A_GPU_job_that_is_started_outside_of_a_trace_gets_none()
    {
        var jobs = Jobs("echo \"traceparent: $TRACEPARENT.\"");
        Assert.Null(Activity.Current);
        Assert.Equal("traceparent: .", await OutputAsync(jobs, await jobs.StartAsync("run-1", 1, default)));
        await jobs.StopAsync(default);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("nonsense")]
    public void A_job_without_a_trace_that_makes_sense_begins_one(string? parent)
    {
        using var span = PipelineTracing.StartJob("train", "run-1", name => name == PipelineTracing.TraceParent ? parent : null);
        Assert.NotNull(span);
        Assert.Null(span.ParentId);
    }

    [Fact]
    public async Task A_request_for_a_prediction_carries_the_trace_in_its_header()
    {
        string? header = null;
        await using var worker = await ServeAsync(request => header = request.Headers.TraceParent);
        using var http = new HttpClient { BaseAddress = new Uri(worker.Urls.First()) };
        using var source = new ActivitySource("test");
        using var reading = source.StartActivity("read an image")!;

        // The answer holds nothing; what counts is what was asked.
        var client = new PredictionClient(http, TimeSpan.FromMinutes(1), TimeProvider.System);
        await client.PredictAsync(new PredictRequest("a.jpg", "1"), default);

        var asked = Assert.Single(_spans, span => span.OperationName == "ask the GPU worker");
        Assert.Equal(reading.TraceId, asked.TraceId);
        Assert.Equal(reading.SpanId, asked.ParentSpanId);
        Assert.Equal($"00-{reading.TraceId}-", header![..36]);
    }

    [Fact]
    public void Host_json_leaves_telemetry_to_OpenTelemetry_and_traces_orchestrations()
    {
        var host = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "host.json")))!;
        Assert.Equal("OpenTelemetry", (string)host["telemetryMode"]!);
        var tracing = host["extensions"]!["durableTask"]!["tracing"]!;
        Assert.Equal((true, "V2"), ((bool)tracing["distributedTracingEnabled"]!, (string)tracing["version"]!));
    }

    private LocalProcessGpuJobs Jobs(string script)
    {
        var path = Path.Combine(_folder, "worker.sh");
        File.WriteAllText(path, script);
        var options = new PipelineOptions
        {
            GpuWorker = new GpuWorkerOptions { Command = $"sh \"{path}\"" },
            GpuJobs = new GpuJobsOptions { LogFolder = _folder },
        };
        return new LocalProcessGpuJobs(
            new ConfigurationBuilder().Build(), Options.Create(options), NullLogger<LocalProcessGpuJobs>.Instance);
    }

    private static async Task<string> OutputAsync(LocalProcessGpuJobs jobs, string job)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            if (await jobs.GetStatusAsync(job, limit.Token) is { State: GpuJobState.Exited } status) return status.LastOutput!;
            await Task.Delay(20, limit.Token);
        }
    }

    private static async Task<WebApplication> ServeAsync(Action<HttpRequest> received)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(context =>
        {
            received(context.Request);
            return Task.CompletedTask;
        });
        await app.StartAsync();
        return app;
    }
}

[Collection(WholeProcess.Name)]
public sealed class LogFiltersTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private const int Rows = 60;

    // The host's own few lines at start and end.
    private const int Budget = 10;

    [Fact]
    public async Task An_ingestion_writes_a_few_log_records_however_many_rows_it_has()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = Rows });
        var records = new Records();
        using var app = Ingestions.Build(azurite, hub, logging => logging.AddProvider(records).AddLogFilters());
        await app.StartAsync();
        var report = await Ingestions.RunAsync(app.Services);
        await app.StopAsync();

        Assert.Equal(Rows, report.Counts.Rows);
        Assert.True(records.All.Count <= Budget,
            $"{records.All.Count} log records of {Rows} rows: {string.Join(", ", records.All.CountBy(record => record))}");
    }

    [Theory]
    [InlineData("FunctionsPipeline.FunctionApp.Http.RunEndpoints", LogLevel.Information, true)]
    [InlineData("Azure.Core", LogLevel.Information, false)]
    [InlineData("Azure.Identity", LogLevel.Warning, true)]
    [InlineData("System.Net.Http.HttpClient.PredictionClient.LogicalHandler", LogLevel.Information, false)]
    [InlineData("System.Net.Http.HttpClient.PredictionClient.LogicalHandler", LogLevel.Warning, true)]
    [InlineData("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Information, false)]
    [InlineData("Microsoft.DurableTask", LogLevel.Information, false)]
    public void AddLogFilters_keeps_what_the_pipeline_says_and_the_libraries_warnings(string category, LogLevel level, bool isKept)
    {
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(new Records()).AddLogFilters());
        Assert.Equal(isKept, factory.CreateLogger(category).IsEnabled(level));
    }

    private sealed class Records : ILoggerProvider
    {
        public ConcurrentQueue<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, All);

        public void Dispose()
        {
        }

        private sealed class Logger(string category, ConcurrentQueue<string> records) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                records.Enqueue($"{category} {logLevel} {eventId.Name}");
        }
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.GpuWorker.Tests.Serving;
using FunctionsPipeline.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>
/// Traces of the worker continue those of its callers. The collector takes OTLP over HTTP, in which a trace id is 16 bytes.
/// </summary>
[Collection(nameof(ServingCollection))]
public sealed class WorkerTelemetryTests : IAsyncLifetime
{
    // Nothing listens there: what is asked for is not needed.
    private const string NoStorage = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;";

    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
    private readonly string _folder = Directory.CreateTempSubdirectory("worker-telemetry-").FullName;
    private readonly ConcurrentQueue<byte[]> _traces = [];
    private WebApplication _collector = null!;

    private string TraceParent => $"00-{_trace}-0123456789abcdef-01";

    private Dictionary<string, string> Settings => new()
    {
        [TelemetryServices.OtlpEndpoint] = _collector.Urls.First(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
    };

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _collector = builder.Build();
        _collector.MapPost("/v1/traces", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            _traces.Enqueue(body.ToArray());
        });
        await _collector.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _collector.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_training_continues_the_trace_of_its_environment_also_when_it_fails()
    {
        var environment = new Dictionary<string, string>(Settings) { [PipelineTracing.TraceParent] = TraceParent };
        using var process = WorkerProcess.Start(environment, "train", "--run", "never-asked-for", "--folder", _folder);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await process.WaitForExitAsync(limit.Token);
        Assert.Equal(1, process.ExitCode);
        AssertReceived();
    }

    [Fact]
    public async Task A_prediction_continues_the_trace_of_its_request()
    {
        var settings = Settings.Append(new("PipelineStorage", NoStorage))
            .ToDictionary(pair => pair.Key, string? (pair) => pair.Value);
        var options = new ServingOptions { Endpoint = new IPEndPoint(IPAddress.Loopback, 0), Cache = _folder };
        await using (var server = PredictionServer.Create(options, settings))
        {
            await server.StartAsync();
            using var http = new HttpClient { BaseAddress = new Uri(server.Urls.First()) };
            http.DefaultRequestHeaders.Add("traceparent", TraceParent);
            using var response = await http.PostAsJsonAsync("/predict", new { });
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            await server.StopAsync();
        }
        AssertReceived();
    }

    private void AssertReceived()
    {
        var id = new byte[16];
        _trace.CopyTo(id);
        Assert.Contains(_traces, sent => sent.AsSpan().IndexOf(id) >= 0);
    }
}

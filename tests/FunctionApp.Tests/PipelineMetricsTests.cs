using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using Microsoft.Azure.Functions.Worker;
using TaskFailedException = Microsoft.DurableTask.TaskFailedException;

namespace FunctionsPipeline.FunctionApp.Tests;

[Collection(WholeProcess.Name)]
public sealed class PipelineMetricsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task An_ingestion_counts_its_rows_by_status_and_its_images()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 60, Seed = 3 });
        using var app = Ingestions.Build(azurite, hub);
        await app.StartAsync();
        using var metrics = new MetricsRecorder();

        var report = await Ingestions.RunAsync(app.Services);
        await app.StopAsync();

        Assert.Equal(60, metrics.Sum("pipeline.rows"));
        Assert.Equal(report.Counts.Stored + report.Counts.Duplicates, metrics.Sum("pipeline.rows", ("status", "stored")));
        Assert.NotEmpty(report.Counts.RejectedBy);
        foreach (var (reason, rows) in report.Counts.RejectedBy)
            Assert.Equal(rows, metrics.Sum("pipeline.rows", ("status", "rejected"), ("reason", reason)));
        Assert.InRange(metrics.Sum("pipeline.images"), 1, report.Counts.Stored);
        Assert.InRange(metrics.Sum("pipeline.images.size"), 1000, double.MaxValue);
    }

    [Theory]
    [InlineData(PredictionStatus.Predicted, null, "predicted")]
    [InlineData(PredictionStatus.Rejected, Rejection.Corrupt, "rejected")]
    public async Task A_prediction_is_counted_with_its_time_when_its_document_is_written(
        PredictionStatus status, string? reason, string tag)
    {
        foreach (var name in new[] { Containers.ProductImages, Containers.Predictions })
            await azurite.Blobs.GetBlobContainerClient(name).CreateIfNotExistsAsync();
        var image = azurite.Blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient($"{tag}.jpg");
        var version = (await image.UploadAsync(BinaryData.FromString("image"), overwrite: true)).Value.ETag.ToString();
        var document = new PredictionDocument
        {
            Image = image.Name,
            ETag = version,
            Status = status,
            Reason = reason,
            Seconds = 1.5,
            At = DateTimeOffset.UnixEpoch,
        };
        using var metrics = new MetricsRecorder();

        Assert.True(await new PredictionStore(azurite.Blobs).WriteAsync(document, default));
        Assert.False(await new PredictionStore(azurite.Blobs).WriteAsync(document with { ETag = "\"older\"" }, default));

        Assert.Equal(1, metrics.Sum("pipeline.predictions"));
        Assert.Equal(1, metrics.Sum("pipeline.predictions", ("status", tag)));
        Assert.Equal(reason is null ? 0 : 1, metrics.Sum("pipeline.predictions", ("reason", Rejection.Corrupt)));
        Assert.Equal(1.5, metrics.Sum("pipeline.predictions.duration", ("status", tag)));
    }

    [Fact]
    public async Task A_call_of_a_function_that_fails_is_counted_and_fails_all_the_same()
    {
        using var metrics = new MetricsRecorder();
        var call = new FakeFunctionContext("IngestUnit");
        var counter = new FailureCounter();

        await counter.Invoke(call, _ => Task.CompletedTask);
        await Assert.ThrowsAsync<IOException>(() => counter.Invoke(call, _ => throw new IOException("disk full")));

        Assert.Equal(1, metrics.Sum("pipeline.failures"));
        Assert.Equal(1, metrics.Sum("pipeline.failures", ("name", "IngestUnit"), ("error.type", nameof(IOException))));
    }

    [Fact]
    public async Task A_run_that_fails_for_good_is_counted_and_one_that_succeeds_is_not()
    {
        using var metrics = new MetricsRecorder();
        await FineTune.RunAsync(FineTuneTests.Orchestration(Samples.Report));
        Assert.Equal(0, metrics.Sum("pipeline.failures", ("name", "FineTune")));

        var failing = FineTuneTests.Orchestration(Samples.Report)
            .On<BaseModelRequest, string>("MirrorBaseModel", string (_) => throw new PermanentFailureException("gated"));
        await Assert.ThrowsAsync<TaskFailedException>(() => FineTune.RunAsync(failing));
        Assert.Equal(1, metrics.Sum("pipeline.failures", ("name", "FineTune"), ("error.type", nameof(TaskFailedException))));
    }

    [Fact]
    public async Task A_call_that_the_host_has_cancelled_is_no_failure()
    {
        using var metrics = new MetricsRecorder();
        var call = new FakeFunctionContext("IngestUnit", new CancellationToken(canceled: true));
        await Assert.ThrowsAsync<OperationCanceledException>(
            () => new FailureCounter().Invoke(call, _ => throw new OperationCanceledException()));
        Assert.Equal(0, metrics.Sum("pipeline.failures"));
    }
}

/// <summary>Records all measurements of the pipeline's instruments from its creation on.</summary>
internal sealed class MetricsRecorder : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<Measurement> _measurements = [];

    public MetricsRecorder()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == PipelineMetrics.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The sum of an instrument's measurements that have all these tags.</summary>
    public double Sum(string instrument, params (string Name, string Value)[] tags) => _measurements
        .Where(measured => measured.Instrument == instrument)
        .Where(measured => tags.All(tag => measured.Tags.GetValueOrDefault(tag.Name) as string == tag.Value))
        .Sum(measured => measured.Value);

    public void Dispose() => _listener.Dispose();

    private void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _measurements.Enqueue(new Measurement(instrument.Name, value, tags.ToArray().ToDictionary()));

    private sealed record Measurement(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags);
}

/// <summary>The call of a function, as far as a middleware looks at it.</summary>
internal sealed class FakeFunctionContext(string function, CancellationToken cancellationToken = default) : FunctionContext
{
    public override string InvocationId => "invocation-1";

    public override string FunctionId => function;

    public override TraceContext TraceContext => throw new NotSupportedException();

    public override BindingContext BindingContext => throw new NotSupportedException();

    public override RetryContext RetryContext => throw new NotSupportedException();

    public override IServiceProvider InstanceServices { get; set; } = null!;

    public override FunctionDefinition FunctionDefinition { get; } = new Definition(function);

    public override IDictionary<object, object> Items { get; set; } = new Dictionary<object, object>();

    public override IInvocationFeatures Features => throw new NotSupportedException();

    public override CancellationToken CancellationToken => cancellationToken;

    private sealed class Definition(string name) : FunctionDefinition
    {
        public override string Name => name;

        public override string Id => name;

        public override string EntryPoint => name;

        public override string PathToAssembly => "";

        public override ImmutableArray<FunctionParameter> Parameters => [];

        public override IImmutableDictionary<string, BindingMetadata> InputBindings => ImmutableDictionary<string, BindingMetadata>.Empty;

        public override IImmutableDictionary<string, BindingMetadata> OutputBindings => ImmutableDictionary<string, BindingMetadata>.Empty;
    }
}

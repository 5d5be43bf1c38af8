using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>The server's own metrics; requests and their durations are ASP.NET Core's <c>http.server.request.duration</c>.</summary>
internal sealed class ServingMetrics
{
    private readonly Histogram<int> _batches;
    private readonly Counter<long> _tokens;

    public ServingMetrics(IMeterFactory meters, ServingOptions options, ConcurrencyLimiter places, ModelFollower models)
    {
        var meter = meters.Create(PipelineMetrics.MeterName);
        _batches = meter.CreateHistogram(
            "pipeline.serving.batch", "{image}", "Images that were answered together.",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32] });
        _tokens = meter.CreateCounter<long>("pipeline.serving.tokens", "{token}", "Tokens that were generated.");
        meter.CreateObservableGauge(
            "pipeline.serving.queue", () => options.Queue - places.GetStatistics()!.CurrentAvailablePermits, "{request}",
            "Requests in progress, those that wait included.");
        meter.CreateObservableGauge(
            "pipeline.serving.model", () => models.Serving is { } version
                ? [new Measurement<int>(1, new KeyValuePair<string, object?>("version", version))]
                : (Measurement<int>[])[],
            description: "Version of the model that serves, as an attribute of a 1.");
    }

    /// <summary>Counts images that were answered together.</summary>
    public void CountBatch(IReadOnlyList<PredictedAnswer> answers)
    {
        _batches.Record(answers.Count);
        CountTokens(answers.Sum(answer => answer.Generated.Tokens.Count));
    }

    /// <summary>Counts generated tokens.</summary>
    public void CountTokens(int tokens) => _tokens.Add(tokens);
}

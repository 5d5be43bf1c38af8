using System.Diagnostics.Metrics;
using System.Text.Json;

namespace FunctionsPipeline.Contracts;

/// <summary>The pipeline's metrics. Counters count executions: an activity that runs twice counts twice.</summary>
public static class PipelineMetrics
{
    /// <summary>Name of the meter that listeners subscribe to.</summary>
    public const string MeterName = "FunctionsPipeline";

    private static readonly Meter Meter = new(MeterName);

    // Units in UCUM, as OpenTelemetry has them: "By" is bytes, braces hold what is counted.
    private static readonly Counter<long> Rows =
        Meter.CreateCounter<long>("pipeline.rows", "{row}", "Rows of datasets that were read, by status and, when rejected, reason.");

    private static readonly Counter<long> Images =
        Meter.CreateCounter<long>("pipeline.images", "{image}", "Images of datasets that were written to storage.");

    private static readonly Counter<long> ImageBytes =
        Meter.CreateCounter<long>("pipeline.images.size", "By", "Bytes of the images of datasets that were written to storage.");

    private static readonly Counter<long> Predictions = Meter.CreateCounter<long>(
        "pipeline.predictions", "{prediction}", "Prediction documents that were written, by status and, when rejected, reason.");

    private static readonly Histogram<double> PredictionSeconds =
        Meter.CreateHistogram<double>("pipeline.predictions.duration", "s", "Time that the GPU worker took for a prediction.");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "pipeline.failures", "{failure}", "Calls of functions and GPU jobs that failed, by name and type of error.");

    /// <summary>Counts a row by its status.</summary>
    public static void CountRow(ManifestRow row) => Rows.Add(1, Status(row.State), Reason(row.Reason));

    /// <summary>Counts an image that was written to storage.</summary>
    public static void CountImage(long bytes)
    {
        Images.Add(1);
        ImageBytes.Add(bytes);
    }

    /// <summary>Counts a prediction document that was written.</summary>
    public static void CountPrediction(PredictionDocument prediction)
    {
        Predictions.Add(1, Status(prediction.Status), Reason(prediction.Reason));
        PredictionSeconds.Record(prediction.Seconds, Status(prediction.Status));
    }

    /// <summary>Counts a call that failed.</summary>
    /// <param name="name">Name of the function or job.</param>
    /// <param name="error">The exception's type; null when only the message is known.</param>
    public static void CountFailure(string name, Type? error) => Failures.Add(1, new("name", name), new("error.type", error?.Name));

    private static KeyValuePair<string, object?> Status<T>(T status) where T : struct, Enum =>
        new("status", JsonNamingPolicy.CamelCase.ConvertName(status.ToString()));

    private static KeyValuePair<string, object?> Reason(string? reason) => new("reason", reason);
}

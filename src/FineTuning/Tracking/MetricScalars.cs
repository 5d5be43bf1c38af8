using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Converts metrics to named numbers, with the same names in every tracking tool.</summary>
internal static class MetricScalars
{
    /// <summary>Lists names and values of a metrics line: <c>train/…</c>, <c>validation/…</c>, <c>memory/…</c> and <c>gpu/…</c>.</summary>
    public static IEnumerable<(string Name, double Value)> Of(MetricsLine line) => Known(
    [
        ("train/loss", line.Loss),
        ("train/learning_rate", line.LearningRate),
        ("train/grad_norm", line.GradNorm),
        ("train/tokens_per_second", line.TokensPerSecond),
        ("train/images_per_second", line.ImagesPerSecond),
        ("train/padding_share", line.PaddingShare),
        ("train/mfu", line.Mfu),
        ("memory/resident_bytes", line.ResidentBytes),
        ("memory/gpu_bytes", line.GpuBytes),
        ("gpu/utilization", line.GpuUtilization),
        .. line.Validation is { } validation ? Of(Splits.Validation, validation) : [],
    ]);

    /// <summary>Lists the figures of the test split, which are in no metrics line: <c>test/…</c>.</summary>
    public static IEnumerable<(string Name, double Value)> Of(TrainingResult result) =>
        result.Test is { } test ? Known(Of(Splits.Test, test)) : [];

    private static IEnumerable<(string, double?)> Of(string split, EvaluationMetrics metrics) =>
    [
        ($"{split}/loss", metrics.Loss),
        ($"{split}/parsed_share", metrics.ParsedShare),
        ($"{split}/category_accuracy", metrics.CategoryAccuracy),
        ($"{split}/title_exact_match", metrics.TitleExactMatch),
        ($"{split}/title_f1", metrics.TitleF1),
        ($"{split}/median_price_error", metrics.MedianPriceError),
        ($"{split}/mean_price_error", metrics.MeanPriceError),
        ($"{split}/median_price_percent_error", metrics.MedianPricePercentError),
        ($"{split}/price_within_ten_percent", metrics.PriceWithinTenPercent),
        .. metrics.Fields?.SelectMany(field => Of($"{split}/fields/{field.Key}", field.Value.Answered)) ?? [],
    ];

    private static IEnumerable<(string, double?)> Of(string field, FieldFigures figures) =>
    [
        ($"{field}/exact_match", figures.ExactMatch),
        ($"{field}/f1", figures.F1),
        ($"{field}/median_error", figures.MedianError),
        ($"{field}/mean_error", figures.MeanError),
        ($"{field}/median_percent_error", figures.MedianPercentError),
        ($"{field}/within_ten_percent", figures.WithinTenPercent),
    ];

    private static IEnumerable<(string, double)> Known(IEnumerable<(string Name, double? Value)> scalars) =>
        scalars.Where(scalar => scalar.Value is { } value && double.IsFinite(value)).Select(scalar => (scalar.Name, scalar.Value!.Value));
}

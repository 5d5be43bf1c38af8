using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>A figure of an evaluation, for tables in the model card.</summary>
/// <param name="Name">Name of the figure in tables.</param>
/// <param name="Type">Name of the figure among Hugging Face's metrics, or a name of its own where there is none.</param>
/// <param name="Format">Number format.</param>
internal sealed record Figure(
    string Name, string Type, string Format, Func<EvaluationMetrics, double?> Value, Func<EvaluationMetrics, double?>? Baseline = null)
{
    /// <summary>All figures, the most informative first.</summary>
    public static IReadOnlyList<Figure> All { get; } =
    [
        new("Category accuracy", "accuracy", "0.000", m => m.CategoryAccuracy, m => m.MajorityCategoryAccuracy),
        new("Title exact match", "exact_match", "0.000", m => m.TitleExactMatch),
        new("Title word F1", "f1", "0.000", m => m.TitleF1),
        new("Median price error", "median_absolute_error", "0.##", m => m.MedianPriceError, m => m.BaselineMedianPriceError),
        new("Mean price error", "mae", "0.##", m => m.MeanPriceError, m => m.BaselineMeanPriceError),
        new("Median price error, percent", "median_absolute_percentage_error", "0.0", m => m.MedianPricePercentError, m => m.BaselineMedianPricePercentError),
        new("Prices within 10 %", "price_within_ten_percent", "0.000", m => m.PriceWithinTenPercent, m => m.BaselinePriceWithinTenPercent),
        new("Answers that parse", "parsed_share", "0.000", m => m.ParsedShare),
        new("Loss (nats per answer token)", "loss", "0.0000", m => m.Loss),
    ];

    /// <summary>Formats the figure's value; null where it was not measured.</summary>
    public string? Of(EvaluationMetrics? metrics) => Text(metrics is null ? null : Value(metrics));

    /// <summary>Formats the baseline's value; null where there is none.</summary>
    public string? BaselineOf(EvaluationMetrics? metrics) => Text(metrics is null ? null : Baseline?.Invoke(metrics));

    private string? Text(double? value) => value?.ToString(Format, CultureInfo.InvariantCulture);
}

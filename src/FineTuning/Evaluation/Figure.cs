using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>One of the figures of an evaluation, for tables that people read.</summary>
/// <param name="Name">What it is called there.</param>
/// <param name="Type">Its name among Hugging Face's metrics where it has one, else a name of its own.</param>
/// <param name="Format">Digits.</param>
internal sealed record Figure(
    string Name, string Type, string Format, Func<EvaluationMetrics, double?> Value, Func<EvaluationMetrics, double?>? Baseline = null)
{
    /// <summary>All of them, the most telling ones first.</summary>
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

    /// <summary>Its value as text; null where it was not measured.</summary>
    public string? Of(EvaluationMetrics? metrics) => Text(metrics is null ? null : Value(metrics));

    /// <summary>The baseline's value as text; null where there is none.</summary>
    public string? BaselineOf(EvaluationMetrics? metrics) => Text(metrics is null ? null : Baseline?.Invoke(metrics));

    private string? Text(double? value) => value?.ToString(Format, CultureInfo.InvariantCulture);
}

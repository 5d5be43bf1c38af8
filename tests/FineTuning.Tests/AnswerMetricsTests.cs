using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class AnswerMetricsTests
{
    private static readonly EvaluationMetrics Loss = new() { Loss = 0.5, Samples = 9 };

    [Fact]
    public void Answers_are_compared_part_by_part()
    {
        (SampleLabels, string)[] answers =
        [
            (Truth("Red Hat", "Hats", 250), "Product: Red Hat, Category: Hats, Full Price: 250"),
            (Truth("Red Hat", "Hats", 250), "Product: Blue Hat, Category: Hats, Full Price: 350"),
            (Truth("Red Coat", "Coats", 1200), "Product: Red Coat, Category: Hats, Full Price: 250"),
            (Truth("Red Coat", "Coats", 1200), "Red Coat Coat Coat"),
        ];
        var metrics = AnswerMetrics.Measure(Loss, answers, new Baselines("Hats", 250));
        Assert.Equal((0.5, 9, 4), (metrics.Loss, metrics.Samples, metrics.Generated));
        Assert.Equal(0.75, metrics.ParsedShare);
        Assert.Equal(0.5, metrics.CategoryAccuracy);
        Assert.Equal(0.5, metrics.MajorityCategoryAccuracy);
        Assert.Equal(0.5, metrics.TitleExactMatch);
        // Errors 0, 100, 950 and, without a price, 1200.
        Assert.Equal(525, metrics.MedianPriceError);
        Assert.Equal(475, metrics.BaselineMedianPriceError);
    }

    [Fact]
    public void Figures_about_parts_that_the_dataset_does_not_have_are_left_out()
    {
        var metrics = AnswerMetrics.Measure(Loss, [(Truth(null, "Hats", null), "Category: Hats")], new Baselines("Coats", null));
        Assert.Equal((1, 0), (metrics.CategoryAccuracy, metrics.MajorityCategoryAccuracy));
        Assert.Null(metrics.TitleExactMatch);
        Assert.Null(metrics.MedianPriceError);
        Assert.Null(metrics.BaselineMedianPriceError);
    }

    [Fact]
    public void Baselines_are_the_most_frequent_category_and_the_median_price()
    {
        var baselines = Baselines.Of([Truth(null, "Hats", 1), Truth(null, "Coats", 30), Truth(null, "Coats", 2), Truth(null, null, 4)]);
        Assert.Equal(new Baselines("Coats", 3), baselines);
        Assert.Equal(new Baselines(null, null), Baselines.Of([Truth("a", null, null)]));
    }

    private static SampleLabels Truth(string? title, string? category, double? price) => new("k", "00", title, category, price);
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Evaluation;

namespace FunctionsPipeline.FineTuning.Tests.Evaluation;

public sealed class AnswerMetricsTests
{
    private static readonly AnswerTemplate Template = new(AnswerTemplate.Default);
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
        var metrics = AnswerMetrics.Measure(Loss, answers, Template, new NaiveBaseline("Hats", 250));
        Assert.Equal((0.5, 9, 4), (metrics.Loss, metrics.Samples, metrics.Generated));
        Assert.Equal(0.75, metrics.ParsedShare);
        Assert.Equal(0.5, metrics.CategoryAccuracy);
        Assert.Equal(0.5, metrics.MajorityCategoryAccuracy);
        Assert.Equal(0.5, metrics.TitleExactMatch);
        Assert.Equal((1 + 0.5 + 1 + 0) / 4, metrics.TitleF1);
        // Errors 0, 100, 950 and, without a price, 1200.
        Assert.Equal((525, 562.5), (metrics.MedianPriceError, metrics.MeanPriceError));
        Assert.Equal((100 * 950.0 / 1200 + 40) / 2, metrics.MedianPricePercentError!.Value, 1e-9);
        Assert.Equal(0.25, metrics.PriceWithinTenPercent);
        Assert.Equal((475, 475), (metrics.BaselineMedianPriceError, metrics.BaselineMeanPriceError));
        Assert.Equal(100 * 950.0 / 1200 / 2, metrics.BaselineMedianPricePercentError!.Value, 1e-9);
        Assert.Equal(0.5, metrics.BaselinePriceWithinTenPercent);
    }

    [Fact]
    public void The_confusion_table_counts_answers_by_category_and_gathers_those_that_name_none()
    {
        var template = new AnswerTemplate("It is a {category}");
        (SampleLabels, string)[] answers =
        [
            (Truth(null, "Hats", null), "It is a Hats"),
            (Truth(null, "Hats", null), "It is a Coats"),
            (Truth(null, "Hats", null), "It is a Bags"),
            (Truth(null, "Coats", null), "It is a wonderful day"),
            (Truth(null, "Coats", null), "Coats"),
        ];
        var metrics = AnswerMetrics.Measure(Loss, answers, template, new NaiveBaseline("Bags", null) { Categories = ["Bags", "Hats"] });
        Assert.Equal(["Coats", "Hats"], metrics.Confusion!.Select(row => row.Truth));
        Assert.Equal(new Dictionary<string, int> { [""] = 2 }, metrics.Confusion![0].Answered);
        Assert.Equal(new Dictionary<string, int> { ["Bags"] = 1, ["Coats"] = 1, ["Hats"] = 1 }, metrics.Confusion![1].Answered);
    }

    [Fact]
    public void A_price_of_zero_counts_everywhere_but_in_percentages()
    {
        var metrics = AnswerMetrics.Measure(
            Loss, [(Truth(null, null, 0), "Full Price: 5"), (Truth(null, null, 0.3), "Full Price: 0.33")],
            Template, new NaiveBaseline(null, 0.3));
        Assert.Equal(0.5, metrics.PriceWithinTenPercent);
        Assert.Equal(10, metrics.MedianPricePercentError!.Value, 1e-9);
        Assert.Equal(0, metrics.BaselineMedianPricePercentError);
    }

    [Theory]
    [InlineData("Cotton T-Shirt", "cotton t shirt!", 1)]
    [InlineData("red red hat", "red hat", 0.8)]
    [InlineData("Écharpe rouge", "écharpe", 2.0 / 3)]
    [InlineData("", "hat", 0)]
    [InlineData("--", "?", 1)]
    public void Titles_are_compared_by_their_words(string answer, string truth, double expected) =>
        Assert.Equal(expected, WordOverlap.F1(answer, truth), 1e-12);

    [Fact]
    public void Figures_about_parts_that_the_dataset_does_not_have_are_left_out()
    {
        var metrics = AnswerMetrics.Measure(
            Loss, [(Truth(null, "Hats", null), "Category: Hats")], Template, new NaiveBaseline("Coats", null));
        Assert.Equal((1, 0), (metrics.CategoryAccuracy, metrics.MajorityCategoryAccuracy));
        Assert.Null(metrics.TitleExactMatch);
        Assert.Null(metrics.TitleF1);
        Assert.Null(metrics.MedianPriceError);
        Assert.Null(metrics.PriceWithinTenPercent);
        Assert.Null(metrics.BaselineMedianPriceError);
        var titled = AnswerMetrics.Measure(Loss, [(Truth("Hat", null, null), "Product: Hat")], Template, new NaiveBaseline(null, null));
        Assert.Null(titled.Confusion);
    }

    [Fact]
    public void Baselines_are_the_most_frequent_category_and_the_median_price()
    {
        var baseline = NaiveBaseline.Of([Truth(null, "Hats", 1), Truth(null, "Coats", 30), Truth(null, "Coats", 2), Truth(null, null, 4)]);
        Assert.Equal(("Coats", 3), (baseline.Category, baseline.Price));
        Assert.Equal(["Coats", "Hats"], baseline.Categories);
        Assert.Equal((null, null), (NaiveBaseline.Of([Truth("a", null, null)]).Category, NaiveBaseline.Of([Truth("a", null, null)]).Price));
    }

    private static SampleLabels Truth(string? title, string? category, double? price) => new("k", "00", title, category, price);
}

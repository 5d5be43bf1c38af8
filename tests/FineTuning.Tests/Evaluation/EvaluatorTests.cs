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
        var metrics = AnswerMetrics.Measure(Loss, answers, Template, Baselines("Hats", 250));
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
        var metrics = AnswerMetrics.Measure(Loss, answers, template, new Dictionary<string, NaiveBaseline>
        {
            ["category"] = new(new FieldValue("Bags")) { Categories = ["Bags", "Hats"] },
        });
        Assert.Equal(["Coats", "Hats"], metrics.Confusion!.Select(row => row.Truth));
        Assert.Equal(new Dictionary<string, int> { [""] = 2 }, metrics.Confusion![0].Answered);
        Assert.Equal(new Dictionary<string, int> { ["Bags"] = 1, ["Coats"] = 1, ["Hats"] = 1 }, metrics.Confusion![1].Answered);
    }

    [Fact]
    public void A_price_of_zero_counts_everywhere_but_in_percentages()
    {
        var metrics = AnswerMetrics.Measure(
            Loss, [(Truth(null, null, 0), "Full Price: 5"), (Truth(null, null, 0.3), "Full Price: 0.33")],
            Template, Baselines(null, 0.3));
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
            Loss, [(Truth(null, "Hats", null), "Category: Hats")], Template, Baselines("Coats", null));
        Assert.Equal((1, 0), (metrics.CategoryAccuracy, metrics.MajorityCategoryAccuracy));
        Assert.Null(metrics.TitleExactMatch);
        Assert.Null(metrics.TitleF1);
        Assert.Null(metrics.MedianPriceError);
        Assert.Null(metrics.PriceWithinTenPercent);
        Assert.Null(metrics.BaselineMedianPriceError);
        var titled = AnswerMetrics.Measure(Loss, [(Truth("Hat", null, null), "Product: Hat")], Template, Baselines(null, null));
        Assert.Null(titled.Confusion);
    }

    [Fact]
    public void Baselines_are_the_most_frequent_category_and_the_median_price()
    {
        var baselines = NaiveBaseline.Of(
            [Truth(null, "Hats", 1), Truth(null, "Coats", 30), Truth("a", "Coats", 2), Truth(null, null, 4)], Template);
        Assert.Equal(["category", "price"], baselines.Keys);
        Assert.Equal(("Coats", 3), (baselines["category"].Answer.Text, baselines["price"].Answer.Number));
        Assert.Equal(["Coats", "Hats"], baselines["category"].Categories);
        Assert.Empty(NaiveBaseline.Of([Truth("a", null, null)], Template));
    }

    [Fact]
    public void Further_fields_are_measured_by_their_kind()
    {
        var template = new AnswerTemplate("Brand: {brand}, Weight: {weight}, Made of {materials}, Care: {care}",
        [
            new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List),
            new("care", FieldKind.Text), new("size", FieldKind.Category),
        ]);
        SampleLabels[] training =
        [
            Product("Acme", 100, ["cotton", "wool"], "Wash cold"), Product("Acme", 300, ["wool", "cotton"], null),
            Product("Umbra", 200, ["steel"], null),
        ];
        var baselines = NaiveBaseline.Of(training, template);
        Assert.Equal(["brand", "weight", "materials"], baselines.Keys);
        Assert.Equal(["cotton", "wool"], baselines["materials"].Answer.Items);

        var metrics = AnswerMetrics.Measure(Loss,
            [
                (training[0], "Brand: Acme, Weight: 108 g, Made of wool; cotton, Care: Wash warm"),
                (training[1], "Brand: Umbra, Weight: 300 g, Made of cotton"),
                (training[2], "Brand: Nobody, Made of wool; wool"),
                (Product("Umbra", null, null, null), "?"),
            ],
            template, baselines);
        Assert.Equal((0.75, null, null), (metrics.ParsedShare, metrics.CategoryAccuracy, metrics.TitleF1));
        Assert.Equal(["brand", "care", "materials", "weight"], metrics.Fields!.Keys.Order());
        var brand = metrics.Fields["brand"];
        Assert.Equal((FieldKind.Category, null, 4), (brand.Kind, brand.Unit, brand.Samples));
        Assert.Equal((0.25, 0.5), (brand.Answered.ExactMatch, brand.Baseline!.ExactMatch));
        Assert.Null(brand.Answered.F1);
        Assert.Equal(["Acme", "Umbra"], brand.Confusion!.Select(row => row.Truth));
        Assert.Equal(new Dictionary<string, int> { [""] = 2 }, brand.Confusion![1].Answered);
        // Errors 8, 0 and, without a number, 200.
        var weight = metrics.Fields["weight"];
        Assert.Equal((FieldKind.Number, "g", 3), (weight.Kind, weight.Unit, weight.Samples));
        Assert.Equal((8, 208.0 / 3, 8), (weight.Answered.MedianError, weight.Answered.MeanError, weight.Answered.MedianPercentError));
        Assert.Equal(2.0 / 3, weight.Answered.WithinTenPercent);
        Assert.Equal((100, 1.0 / 3), (weight.Baseline!.MedianError, weight.Baseline.WithinTenPercent));
        var materials = metrics.Fields["materials"];
        Assert.Equal((1.0 / 3, (1 + 2.0 / 3 + 0) / 3), (materials.Answered.ExactMatch, materials.Answered.F1));
        Assert.Equal((2.0 / 3, 2.0 / 3), (materials.Baseline!.ExactMatch, materials.Baseline.F1));
        var care = metrics.Fields["care"];
        Assert.Equal((1, 0, 0.5), (care.Samples, care.Answered.ExactMatch, care.Answered.F1));
        Assert.Null(care.Baseline);
        Assert.Equal([("brand", 2)], metrics.Confusions().Select(confusion => (confusion.Field, confusion.Rows.Count)));

        static SampleLabels Product(string brand, double? weight, string[]? materials, string? care) =>
            Truth("not asked", null, null) with
            {
                Fields = FieldValues.Of(new Dictionary<string, FieldValue?>
                {
                    ["brand"] = new(brand), ["weight"] = weight is { } number ? new(number) : null,
                    ["materials"] = materials is null ? null : new(materials), ["care"] = care is null ? null : new(care),
                }),
            };
    }

    private static Dictionary<string, NaiveBaseline> Baselines(string? category, double? price)
    {
        var baselines = new Dictionary<string, NaiveBaseline>();
        if (category is not null) baselines["category"] = new NaiveBaseline(new FieldValue(category));
        if (price is { } number) baselines["price"] = new NaiveBaseline(new FieldValue(number));
        return baselines;
    }

    private static SampleLabels Truth(string? title, string? category, double? price) => new("k", "00", title, category, price);
}

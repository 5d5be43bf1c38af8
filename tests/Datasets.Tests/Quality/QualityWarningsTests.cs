using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Tests.Quality;

public sealed class QualityWarningsTests
{
    private static readonly Dictionary<string, long> Balanced = new() { ["coat"] = 40, ["hat"] = 60 };

    [Fact]
    public void Balanced_data_has_no_warning() => Assert.Empty(Warnings(QualityFigures.None, Balanced));

    [Fact]
    public void Data_without_categories_has_no_warning() => Assert.Empty(Warnings(QualityFigures.None, []));

    [Theory]
    [InlineData(0, "")]
    [InlineData(7, " Only the first 500,000 images were compared.")]
    public void Images_that_look_alike_are_told_with_their_pairs_and_the_number_that_was_compared(long leftOut, string end)
    {
        var pair = new NearDuplicate("train/0", Splits.Train, "a", "train/2", Splits.Validation, "b", 3);

        var warning = Assert.Single(Warnings(QualityFigures.None, Balanced, new NearDuplicates(2, [pair], leftOut)));

        Assert.Equal((QualityProblem.NearDuplicates, 2L), (warning.Kind, warning.Count));
        Assert.Equal([pair], warning.Pairs);
        Assert.StartsWith("2 images of the validation or test split", warning.Message, StringComparison.Ordinal);
        Assert.EndsWith($"or leave such rows out.{end}", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Figures_of_parts_are_those_of_the_rows_together()
    {
        ManifestRow[] rows =
        [
            .. Enumerable.Range(0, 60).Select(i => Row(i) with
            {
                Width = i % 7 == 0 ? 90 : 300,
                Currency = i % 3 == 0 ? "EUR" : "USD",
            }),
        ];
        var merged = new QualityCollector();
        foreach (var part in rows.Chunk(25))
        {
            var json = JsonSerializer.Serialize(Figures(part), PipelineJson.Compact);
            merged.Add(JsonSerializer.Deserialize<QualityFigures>(json, PipelineJson.Compact)!);
        }

        Assert.Equal(JsonSerializer.Serialize(Warnings(Figures(rows), Balanced)),
            JsonSerializer.Serialize(Warnings(merged.Result, Balanced)));
        Assert.Equal(2, Warnings(merged.Result, Balanced).Count);
    }

    [Theory]
    [InlineData(80, 20, 0, false)]
    [InlineData(81, 19, 0, true)]
    // 20 and 21 times the median of three.
    [InlineData(100, 5, 25, false)]
    [InlineData(105, 5, 5, true)]
    [InlineData(40, 1, 0, false)]
    public void A_category_above_a_share_or_above_the_median_is_an_imbalance(long first, long second, long third, bool isOne)
    {
        var categories = new Dictionary<string, long> { ["coat"] = first, ["hat"] = second, ["bag"] = third }
            .Where(category => category.Value > 0).ToDictionary();

        var warning = Warnings(QualityFigures.None, categories).FirstOrDefault(w => w.Kind == QualityProblem.Imbalance);

        Assert.Equal(isOne, warning is not null);
        if (warning is null) return;
        Assert.Equal((first, "coat"), (warning.Count, Assert.Single(warning.Examples!)));
        Assert.Contains("leave some of its rows out", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_appear_once_are_counted_and_named()
    {
        var values = new Dictionary<string, long> { ["a"] = 1, ["b"] = 3, ["c"] = 1 };
        var warning = Assert.Single(Warnings(QualityFigures.None, values));

        Assert.Equal((QualityProblem.SingleLabels, 2L), (warning.Kind, warning.Count));
        Assert.Equal(["a", "c"], warning.Examples!);
        Assert.StartsWith("2 of 3 values of 'category' appear once", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Currencies_come_from_price_texts_and_from_a_field_of_that_name()
    {
        ManifestRow[] rows =
        [
            Row(0) with { Currency = "USD" }, Row(1) with { Currency = "USD" }, Row(2),
            Row(3) with { Fields = FieldValues.Of([KeyValuePair.Create<string, FieldValue?>("currency_code", new FieldValue("eur"))]) },
        ];

        var warning = Assert.Single(Warnings(Figures(rows), Balanced));

        Assert.Equal((QualityProblem.MixedCurrencies, 1L), (warning.Kind, warning.Count));
        Assert.Contains("2 currencies (USD 2, EUR 1)", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Images_below_100_pixels_on_a_side_are_counted_with_examples()
    {
        ManifestRow[] rows = [Row(0) with { Width = 99 }, Row(1) with { Height = 99 }, Row(2) with { Width = 100, Height = 100 }];

        var warning = Assert.Single(Warnings(Figures(rows), Balanced));

        Assert.Equal((QualityProblem.SmallImages, 2L), (warning.Kind, warning.Count));
        Assert.Equal(["train/0", "train/1"], warning.Examples!);
    }

    [Fact]
    public void First_rows_show_mixed_currencies_and_a_category_that_is_none()
    {
        var rows = Enumerable.Range(0, 60).Select(i => (IReadOnlyDictionary<string, string?>)new Dictionary<string, string?>
        {
            ["price"] = i % 2 == 0 ? $"${i}.50" : $"{i} €",
            ["kind"] = $"kind {i}",
        }).ToList();
        var mapping = new ColumnMapping { Category = "kind", Price = "price" };

        var warnings = QualityWarnings.OfFirstRows(rows, mapping);

        Assert.Equal([QualityProblem.MixedCurrencies, QualityProblem.SingleLabels], warnings.Select(warning => warning.Kind));
        Assert.All(warnings, warning => Assert.StartsWith("In the first 60 rows: ", warning.Message, StringComparison.Ordinal));
        Assert.Empty(QualityWarnings.OfFirstRows(rows, null));
        Assert.Empty(QualityWarnings.OfFirstRows([.. rows.Take(1)], mapping));
    }

    [Fact]
    public void A_currency_column_of_the_first_rows_says_more_than_the_prices()
    {
        var rows = Enumerable.Range(0, 4).Select(i => (IReadOnlyDictionary<string, string?>)new Dictionary<string, string?>
        {
            ["price"] = $"{i}",
            ["currency_code"] = i == 3 ? "EUR" : "USD",
        }).ToList();

        var warning = Assert.Single(QualityWarnings.OfFirstRows(rows, new ColumnMapping { Price = "price" }));
        Assert.Equal((QualityProblem.MixedCurrencies, 1L), (warning.Kind, warning.Count));
    }

    private static QualityFigures Figures(IEnumerable<ManifestRow> rows)
    {
        var collector = new QualityCollector();
        foreach (var row in rows) collector.Add(row);
        return collector.Result;
    }

    private static IReadOnlyList<QualityWarning> Warnings(
        QualityFigures figures, Dictionary<string, long> categories, NearDuplicates? alike = null) =>
        QualityWarnings.Of(figures, alike ?? NearDuplicates.None, [(FieldDefinition.Category, new ValueCounts(categories, AreAll: true))]);

    private static ManifestRow Row(long row) => new()
    {
        Row = row,
        SourceSplit = "train",
        Split = Splits.Train,
        State = RowState.Stored,
        Width = 400,
        Height = 300,
    };
}

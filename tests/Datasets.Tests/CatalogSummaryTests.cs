using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Quality;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class CatalogSummaryTests
{
    [Fact]
    public void Summaries_of_parts_add_up_to_the_summary_of_all_rows()
    {
        var random = new Random(5);
        var rows = Enumerable.Range(0, 3000).Select(i => Row(i, $"category {random.Next(50)}", random.Next(1, 100_000))).ToList();
        var all = new CatalogSummaryBuilder(new ColumnMapping());
        all.Add(rows);
        var merged = new CatalogSummaryBuilder(new ColumnMapping());
        foreach (var part in rows.Chunk(700))
        {
            var builder = new CatalogSummaryBuilder(new ColumnMapping());
            builder.Add(part);
            merged.Add(builder.Result);
        }
        var (expected, actual) = (all.Result, merged.Result);
        Assert.Equal(expected.Categories.Counts, actual.Categories.Counts);
        Assert.True(actual.Categories.AreAll);
        Assert.Equal(expected.Prices!.Bins, actual.Prices!.Bins);
        Assert.Equal((expected.Prices.Min, expected.Prices.Max), (actual.Prices.Min, actual.Prices.Max));
        Assert.Equal(expected.Prices.Mean, actual.Prices.Mean, 6);
        Assert.Equal((3000L, 2000L), (actual.Counts.Rows, actual.Counts.Stored));
        Assert.Equal((500L, 500L), (actual.Counts.Duplicates, actual.Counts.Rejected));
        Assert.Equal(expected.Counts.Bytes, actual.Counts.Bytes);
        Assert.Empty(Warnings(actual));
    }

    [Fact]
    public void Of_too_many_values_the_most_frequent_are_kept_and_the_summary_says_so()
    {
        var merged = new CatalogSummaryBuilder(new ColumnMapping());
        for (var part = 0; part < 4; part++)
        {
            var builder = new CatalogSummaryBuilder(new ColumnMapping());
            var rare = Enumerable.Range(part * 9000, 9000).Select(i => i.ToString(CultureInfo.InvariantCulture));
            var frequent = Enumerable.Range(0, 100).SelectMany(i => Enumerable.Repeat($"frequent {i}", 3));
            builder.Add([.. rare.Concat(frequent).Select((category, i) => Row(6 * i, category, 1))]);
            merged.Add(builder.Result);
        }
        var summary = merged.Result;
        Assert.Equal((ValueCounts.Most, false), (summary.Categories.Counts.Count, summary.Categories.AreAll));
        Assert.Equal(100, summary.Categories.Counts.Take(100).Count(c => c.Value == 12));
        Assert.Equal(QualityProblem.ManyValues, Assert.Single(Warnings(summary)).Kind);
    }

    private static IReadOnlyList<QualityWarning> Warnings(CatalogSummary summary) =>
        QualityWarnings.Of(QualityFigures.None, NearDuplicates.None, [(FieldDefinition.Category, summary.Categories)]);

    // Of six rows four are stored, one repeats another and one is rejected.
    private static ManifestRow Row(int row, string category, double price) => new()
    {
        Row = row,
        SourceSplit = "train",
        Split = row % 6 == 0 ? Splits.Train : Splits.Validation,
        State = (row % 6) switch
        {
            4 => RowState.Duplicate,
            5 => RowState.Rejected,
            _ => RowState.Stored,
        },
        Reason = row % 6 == 5 ? Rejection.Corrupt : null,
        Bytes = 100 + row,
        Width = row,
        Height = 7,
        Category = category,
        Price = price,
    };
}

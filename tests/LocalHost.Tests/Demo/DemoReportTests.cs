using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Tests.Demo;

public sealed class DemoReportTests
{
    private static readonly IngestReport Dataset = new()
    {
        Repo = "shop/catalog",
        Commit = "c",
        View = "v",
        Counts = new RowCounts { Rows = 10, Stored = 10 },
        Splits = new Dictionary<string, long> { ["train"] = 8, ["validation"] = 2 },
        Categories = new Dictionary<string, long>(),
        Columns = new ColumnMapping(),
        Seconds = 1,
    };

    private static readonly TrainingResult Result = new()
    {
        Run = "demo",
        Succeeded = true,
        Base = new EvaluationMetrics { Loss = 3, Samples = 80, Generated = 80, CategoryAccuracy = 0.1 },
        FineTuned = new EvaluationMetrics
        {
            Loss = 0.5,
            Samples = 80,
            Generated = 80,
            CategoryAccuracy = 0.9,
            TitleF1 = 0.75,
            MedianPriceError = 4,
            BaselineMedianPriceError = 80,
            PriceWithinTenPercent = 0.6,
            Confusion =
            [
                new ConfusionRow("Coats", new Dictionary<string, int> { ["Coats"] = 40 }),
                new ConfusionRow("Hats", new Dictionary<string, int> { ["Hats"] = 32, ["Coats"] = 5, [""] = 3 }),
            ],
        },
    };

    [Fact]
    public void The_figures_are_shown_and_the_promises_judged_by_them()
    {
        var (code, text) = Print(Result);
        Assert.Equal(0, code);
        Assert.Matches(@"title word F1 +│ +│ 0\.75", text);
        Assert.Matches(@"prices within 10 % +│ +│ 0\.60", text);
        Assert.Contains("Categories of the validation split", text);
        Assert.Matches(@"Hats +│ 40 +│ 32 +│ Coats 5, no category 3", text);
        Assert.True(text.IndexOf("│ Hats", StringComparison.Ordinal) < text.IndexOf("│ Coats", StringComparison.Ordinal));
        Assert.Contains("tensorboard --logdir /state/run/tensorboard", text);
        Assert.DoesNotContain("test split", text);
    }

    [Fact]
    public void The_test_split_has_a_column_of_its_own()
    {
        var test = new EvaluationMetrics { Loss = 0.7, Samples = 40, Generated = 40, CategoryAccuracy = 0.85 };
        var (code, text) = Print(Result with { Test = test });
        Assert.Equal(0, code);
        Assert.Contains("fine-tuned, test split (40)", text);
        Assert.Matches(@"category accuracy.+│ 0\.10 +│ 0\.90 +│ +│ 0\.85", text);
    }

    [Fact]
    public void Further_fields_have_rows_with_their_baselines()
    {
        var (_, text) = Print(Result with
        {
            FineTuned = Result.FineTuned! with
            {
                Fields = new Dictionary<string, FieldMetrics>
                {
                    ["brand"] = new(FieldKind.Category, null, 80, new FieldFigures { ExactMatch = 0.75 })
                    {
                        Baseline = new FieldFigures { ExactMatch = 0.5 },
                    },
                    ["weight"] = new(FieldKind.Number, "g", 80, new FieldFigures { MedianError = 12.5, WithinTenPercent = 0.25 }),
                },
            },
        });
        Assert.Matches(@"brand accuracy +│ +│ 0\.75 +│ 0\.50", text);
        Assert.Matches(@"weight median error \(g\) +│ +│ 12\.50", text);
        Assert.Matches(@"weight within 10 % +│ +│ 0\.25", text);
        Assert.DoesNotContain("brand word F1", text);
    }

    private static (int Code, string Text) Print(TrainingResult result)
    {
        using var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 160;
        var outcome = new RunOutcome(Dataset, result, true, "first model");
        var report = new DemoReport(outcome, [], [], null, "/state/run", TimeSpan.FromSeconds(1));
        return (report.Print(console), writer.ToString());
    }
}

public sealed class FaultCheckTests
{
    [Fact]
    public void Rows_that_came_to_what_their_fault_should_make_of_them_are_no_surprise()
    {
        var faults = new FaultCheck(
            [
                new("status-404", "/p/1", 1),
                new("status-503", "/p/2", 1),
                new("stall", "/p/3", 3),
                new("corrupt", "/p/4", 1),
                new("cut", "/cdn/0.parquet", 1),
            ],
            [
                Row(1, Rejection.NotFound),
                Row(2, null),
                Row(3, Rejection.Timeout),
                Row(4, Rejection.Truncated),
                Row(5, Rejection.NotAnImage),
            ]);
        Assert.Empty(faults.Mismatches);
        Assert.Contains(("stall", 1, "timeout 1"), faults.Summary);
        Assert.Contains(("cut", 1, ""), faults.Summary);
    }

    [Theory]
    [InlineData("status-404", null)]
    [InlineData("status-404", Rejection.Timeout)]
    [InlineData("status-503", Rejection.DownloadFailed)]
    [InlineData("stall", Rejection.DownloadFailed)]
    [InlineData("stall", null)]
    [InlineData("corrupt", null)]
    public void A_row_that_came_to_something_else_is_a_surprise(string kind, string? reason)
    {
        var row = Row(7, reason);
        Assert.Equal([row], new FaultCheck([new(kind, "/p/7", 1)], [row, Row(8, null)]).Mismatches);
    }

    private static ManifestRow Row(int picture, string? reason) => new()
    {
        Row = picture,
        SourceSplit = "train",
        Split = "train",
        State = reason is null ? RowState.Stored : RowState.Rejected,
        Reason = reason,
        ImageUrl = $"http://127.0.0.1:1/p/{picture}",
    };
}

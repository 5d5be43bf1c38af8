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

    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(2.9, 0)]
    [InlineData(3.1, 1)]
    [InlineData(double.NaN, 1)]
    public void A_catalog_of_the_users_is_promised_a_lower_loss_only(double loss, int expected)
    {
        var (code, text) = Print(Result with { FineTuned = Result.FineTuned! with { Loss = loss, CategoryAccuracy = 0 } }, Short);
        Assert.Equal(expected, code);
        Assert.Contains("validation loss under the base model's", text, StringComparison.Ordinal);
        // Of the samples half is promised.
        Assert.Equal(loss < 1.5 ? 0 : 1, Print(Result with { FineTuned = Result.FineTuned! with { Loss = loss } }).Code);
    }

    [Theory]
    [InlineData(60, "still falling when training ended (8 samples, 2.0 epochs): --minutes above 0.7 lets the model learn more")]
    [InlineData(30, "\"maxSteps\" above 30 in a file for --training lets")]
    public void Training_that_was_too_short_says_what_to_raise(int maxSteps, string advice) => Assert.Contains(
        advice, Print(Result with { Steps = 30 }, Short with { MaxSteps = maxSteps }, Validation(0, 3), Validation(30, 0.5)).Text,
        StringComparison.Ordinal);

    [Fact]
    public void Training_that_learned_all_it_could_asks_for_more_data()
    {
        Assert.Contains("has not fallen since step 20 of 30 (8 samples, 2.0 epochs): more rows (--rows)",
            Print(Result, Short, Validation(0, 3), Validation(20, 0.4), Validation(30, 0.5)).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("note", Print(Result).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_truth_of_a_catalog_of_the_users_has_its_fields()
    {
        var fields = new FieldValues([new("brand", new FieldValue("Acme"))]);
        var truth = new HeldOutImage("train-1", "Hat", null, 5) { Fields = fields };
        var dataset = Dataset with
        {
            Columns = new ColumnMapping { Fields = new Dictionary<string, FieldColumn> { ["brand"] = new() { Column = "maker" } } },
        };
        using var writer = new StringWriter();
        var console = Console(writer);
        var outcome = new RunOutcome(dataset, Result, true, "first model");
        new DemoReport(outcome, [], [(truth, null)], null, "/state/run", TimeSpan.FromSeconds(1), Short).Print(console);
        Assert.Contains("Product: Hat, Full Price: 5, Brand: Acme", writer.ToString(), StringComparison.Ordinal);
    }

    private static readonly TrainingSettings Short = new() { Epochs = 100, MaxSteps = 3000, MaxMinutes = 0.7 };

    private static MetricsLine Validation(int step, double loss) => new()
    {
        Step = step,
        Epoch = step / 15.0,
        Seconds = step,
        Validation = Result.FineTuned! with { Loss = loss },
    };

    private static IAnsiConsole Console(StringWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 200;
        return console;
    }

    private static (int Code, string Text) Print(TrainingResult result, TrainingSettings? own = null, params MetricsLine[] metrics)
    {
        using var writer = new StringWriter();
        var outcome = new RunOutcome(Dataset, result, true, "first model");
        var report = new DemoReport(outcome, metrics, [], null, "/state/run", TimeSpan.FromSeconds(1), own);
        return (report.Print(Console(writer)), writer.ToString());
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

using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using Spectre.Console;

namespace FunctionsPipeline.Tests.LocalHost.Demo;

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

    private static readonly RunResult Result = new()
    {
        Run = "demo",
        Succeeded = true,
        Base = new EvaluationMetrics { Loss = 3, Samples = 80, Generated = 80, CategoryAccuracy = 0.1 },
        FineTuned = new EvaluationMetrics
        {
            Loss = 0.5, Samples = 80, Generated = 80, CategoryAccuracy = 0.9, TitleF1 = 0.75, MedianPriceError = 4, BaselineMedianPriceError = 80, PriceWithinTenPercent = 0.6,
            Confusion = [new ConfusionRow("Coats", new Dictionary<string, int> { ["Coats"] = 40 }), new ConfusionRow("Hats", new Dictionary<string, int> { ["Hats"] = 32, ["Coats"] = 5, [""] = 3 })],
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
        var (code, text) = Print(Result with { Test = new EvaluationMetrics { Loss = 0.7, Samples = 40, Generated = 40, CategoryAccuracy = 0.85 } });
        Assert.Equal(0, code);
        Assert.Contains("fine-tuned, test split (40)", text);
        Assert.Matches(@"category accuracy.+│ 0\.10 +│ 0\.90 +│ +│ 0\.85", text);
    }

    private static (int Code, string Text) Print(RunResult result)
    {
        using var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 160;
        var report = new DemoReport(new RunOutcome(Dataset, result, true, "first model"), [], [], null, "/state/run", TimeSpan.FromSeconds(1));
        return (report.Print(console), writer.ToString());
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Uploads;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Tests.Uploads;

public sealed class IngestSummaryTests
{
    private static readonly string Commit = new('c', 40);

    private static readonly IngestReport Report = new()
    {
        Repo = "shop/all",
        Commit = Commit,
        View = "0123456789ab",
        Counts = new RowCounts
        {
            Rows = 100,
            Stored = 94,
            Rejected = 6,
            RejectedBy = new Dictionary<string, long> { [Rejection.BadPrice] = 5, [Rejection.NotFound] = 1 },
            Bytes = 2_500_000,
        },
        Splits = new Dictionary<string, long> { [Splits.Train] = 90, [Splits.Validation] = 4 },
        Categories = new Dictionary<string, long>(),
        Columns = new ColumnMapping { Image = "Bild", Title = "Name" },
        Seconds = 5,
    };

    [Fact]
    public void Rejected_rows_are_told_with_their_reasons_and_what_heals_them()
    {
        var text = Print(
            Report, Rejected(20, Rejection.BadPrice, "on request is no price"), Rejected(7, Rejection.NotFound, "shop/ has no p/7.jpg"));
        Assert.Contains("100 rows in 5 s, 20 rows/s, 2.5 MB of images\n", text, StringComparison.Ordinal);
        Assert.Contains("rejected as bad-price:\n  train row 20  p/20.jpg  Hat  on request is no price\n  and 4 more\n", text,
            StringComparison.Ordinal);
        Assert.Contains("rejected as not-found:\n  train row 7  Hat  shop/ has no p/7.jpg\ncolumns", text, StringComparison.Ordinal);
        Assert.Contains("rejected as not-found:\n  curl -s " +
            $"http://127.0.0.1:7071/api/datasets/shop/all/{Commit}/0123456789ab/retry -X POST\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_can_be_copied_is_on_one_line_whatever_the_width()
    {
        var text = Print(Report);
        Assert.Contains("""columns: {"image":"Bild","title":"Name"}""" + "\n", text, StringComparison.Ordinal);
        Assert.Contains($"datasets/shop--all/{Commit}/0123456789ab/catalog.csv\n", text, StringComparison.Ordinal);
        Assert.Contains($"http://127.0.0.1:7071/api/dashboard#/datasets/shop/all/{Commit}/0123456789ab\n", text, StringComparison.Ordinal);
        Assert.Contains(
            $$"""    "dataset": { "repo": "shop/all", "revision": "{{Commit}}", "view": "0123456789ab" },""" + "\n", text,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Without_images_or_passing_reasons_neither_a_run_nor_a_retry_is_offered()
    {
        var text = Print(Report with
        {
            Counts = new RowCounts { Rows = 1, Rejected = 1, RejectedBy = new Dictionary<string, long> { [Rejection.Corrupt] = 1 } },
        });
        Assert.DoesNotContain("curl", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_the_app_wants_is_in_the_commands()
    {
        var text = Print(Report, hasKey: true);
        Assert.Equal(2, text.Split("curl -s -H \"x-functions-key: $KEY\" ").Length - 1);
    }

    [Fact]
    public void Guessed_and_unread_columns_are_told_before_rows_are_read()
    {
        var text = Tell(Inspection with { Mapping = new ColumnMapping { Image = "Bild" }, Guess = "image = Bild: names of files" });
        Assert.Contains("CSV, 1 file", text, StringComparison.Ordinal);
        Assert.Contains("image = Bild: names of files", text, StringComparison.Ordinal);
        Assert.Contains("Marke: \"fields\" of --columns", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_that_cannot_be_guessed_are_asked_for_with_an_example()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Tell(Inspection with { Guess = "no column looks like a title." }));
        Assert.StartsWith("no column looks like a title.", error.Message, StringComparison.Ordinal);
        Assert.Contains("""--columns '{ "image": "Bild", "title": """, error.Message, StringComparison.Ordinal);
    }

    private static readonly DatasetInspection Inspection = new()
    {
        Repo = "shop/all",
        Commit = Commit,
        Configs = ["default"],
        Config = "default",
        Splits = new Dictionary<string, SplitSize>(),
        Columns = [new ColumnInfo("Bild", "string", null), new ColumnInfo("Marke", "string", null)],
        SampleRows = [],
        Form = "CSV, 1 file",
    };

    private static ManifestRow Rejected(int row, string reason, string detail) => new()
    {
        Row = row,
        SourceSplit = Splits.Train,
        Split = Splits.Train,
        State = RowState.Rejected,
        Reason = reason,
        Detail = detail,
        ImageUrl = $"p/{row}.jpg",
        Title = "Hat",
    };

    private static string Print(IngestReport report, params ManifestRow[] rejected) => Print(report, hasKey: false, rejected);

    private static string Print(IngestReport report, bool hasKey, params ManifestRow[] rejected) => Written(console =>
        new IngestSummary(report, rejected, new Uri("http://127.0.0.1:7071/"), hasKey).Print(console));

    private static string Tell(DatasetInspection inspection) => Written(console =>
        IngestScenario.Tell(inspection, new ProgressScreen(console)));

    private static string Written(Action<IAnsiConsole> write)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 40;
        write(console);
        return writer.ToString();
    }
}

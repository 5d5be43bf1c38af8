using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary>Prints what became of the rows of an ingested dataset, and what can be done with it.</summary>
/// <param name="rejected">Some of the rejected rows of each reason.</param>
/// <param name="app">URL of the Functions app.</param>
/// <param name="hasKey">True when the app wants a function key.</param>
internal sealed class IngestSummary(IngestReport report, IReadOnlyList<ManifestRow> rejected, Uri app, bool hasKey)
{
    /// <summary>Number of rejected rows that are shown for each reason.</summary>
    public const int RowsOfReason = 3;

    public void Print(IAnsiConsole console)
    {
        var counts = report.Counts;
        var table = new Table { Title = new TableTitle("Rows and images") };
        table.AddColumn("").AddColumn("count");
        void Row(string name, long count) => table.AddRow(Markup.Escape(name), count.ToString(CultureInfo.InvariantCulture));
        Row("rows", counts.Rows);
        Row("images stored", counts.Stored);
        Row("duplicates", counts.Duplicates);
        foreach (var (reason, count) in counts.RejectedBy) Row($"rejected: {reason}", count);
        foreach (var (split, count) in report.Splits) Row($"{split} samples", count);
        Row("categories", report.CategoryCount);
        console.WriteLine();
        console.Write(table);
        // Not by the console, which would break them at its width: they are to be copied.
        foreach (var line in Lines()) console.Profile.Out.Writer.WriteLine(line);
    }

    private IEnumerable<string> Lines()
    {
        var counts = report.Counts;
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{counts.Rows} rows in {report.Seconds:0.#} s, {counts.Rows / report.Seconds:0.#} rows/s, " +
            $"{counts.Bytes / 1e6:0.0} MB of images");
        foreach (var reason in rejected.GroupBy(row => row.Reason!))
        {
            yield return $"rejected as {reason.Key}:";
            foreach (var row in reason)
            {
                // The detail mostly begins with the URL.
                var url = row.ImageUrl is { } told && row.Detail?.Contains(told, StringComparison.Ordinal) != true ? told : null;
                yield return string.Join("  ", new[] { $"  {row.SourceSplit} row {row.Row}", url, row.Title, row.Detail }.OfType<string>());
            }
            if (counts.RejectedBy.GetValueOrDefault(reason.Key) - reason.Count() is > 0 and var others) yield return $"  and {others} more";
        }
        foreach (var warning in report.Warnings ?? []) yield return $"warning: {warning.Message}";
        yield return $"columns: {JsonSerializer.Serialize(report.Columns, PipelineJson.Compact)}";
        yield return $"every row with its status: {Containers.Datasets}/{Catalog()}";
        var place = $"{report.Repo}/{report.Commit}/{report.View}";
        yield return $"look at it: {app.AbsoluteUri.TrimEnd('/')}/api/dashboard#/datasets/{place}";
        var hint = new RequestHint(app, hasKey);
        var passing = counts.RejectedBy.Keys.Intersect(Rejection.Passing).ToList();
        if (passing.Count > 0)
        {
            yield return $"Once their images can be had, read the rows again that were rejected as {string.Join(" or ", passing)}:";
            yield return hint.Call($"datasets/{place}/retry", " -X POST");
        }
        if (counts.Stored == 0) yield break;
        yield return "Start a run on it (the base model is the sample hub's; a GPU can train microsoft/Phi-3-vision-128k-instruct):";
        yield return hint.Run($$"""{ "repo": "{{report.Repo}}", "revision": "{{report.Commit}}", "view": "{{report.View}}" }""");
    }

    private string Catalog()
    {
        var names = new DatasetBlobs(report.Repo, report.Commit, report.View);
        return report.CatalogParts is null ? names.CatalogCsv : $"{names.CatalogPart(0)}.csv, …";
    }
}

using System.Globalization;
using System.Text.Json;
using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary>Uploads a folder, starts its ingestion, follows it and prints the report.</summary>
/// <param name="app">URL of the Functions app.</param>
/// <param name="key">Function key; null when the app wants none.</param>
internal sealed class IngestScenario(Uri app, string? key)
{
    /// <param name="request">The request, whose source is the container to upload to.</param>
    /// <param name="connection">Connection string of the storage account.</param>
    /// <returns>Process exit code: 0 when the dataset was ingested.</returns>
    /// <exception cref="InvalidOperationException">The folder has no files, or storage is not reachable.</exception>
    public async Task<int> RunAsync(DirectoryInfo folder, DatasetRequest request, string connection, CancellationToken cancellationToken)
    {
        var screen = new ProgressScreen(AnsiConsole.Console);
        using var http = new HttpClient { BaseAddress = new Uri(app.AbsoluteUri.TrimEnd('/') + "/") };
        if (key is not null) http.DefaultRequestHeaders.Add("x-functions-key", key);
        await CheckAsync(http, cancellationToken);
        var blobs = UploadScenario.Client(connection);
        var client = new PipelineClient(http, blobs);
        var source = request.Source!;
        try
        {
            var others = await new FolderUpload(folder, blobs.GetBlobContainerClient(source.Container), screen).RunAsync(cancellationToken);
            if (others > 0)
                screen.Say($"{source.Container} has {others} more blobs, which are not in {folder.FullName} and are read too");
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            throw new InvalidOperationException(
                $"{folder.FullName} cannot be uploaded to {blobs.Uri}: {HostStorage.LastAttempt(e).Message.Split('\n')[0]}", e);
        }
        var accepted = await client.StartIngestionAsync(request, cancellationToken);
        screen.Say($"ingestion     {accepted.Id}, commit {accepted.Commit}");
        var report = await client.FollowIngestionAsync(
            accepted, progress => screen.Show(Describe(progress), progress.Phase.ToString()), cancellationToken);
        screen.Close();
        Print(report, AnsiConsole.Console);
        return 0;
    }

    private static async Task CheckAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await http.GetAsync("api/health", cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new InvalidOperationException(
                $"{http.BaseAddress} does not answer: {e.Message}. Start ./pipeline up first, or name another app with --url.", e);
        }
    }

    private static string Describe(RunProgress progress) => string.Join("  ", new[]
    {
        progress.Phase.ToString().ToLowerInvariant(),
        progress.Rows is { } rows
            ? string.Create(CultureInfo.InvariantCulture, $"{rows.Rows}/{progress.TotalRows} rows, {rows.Rejected} rejected") : null,
        progress.Rate is { } rate
            ? string.Create(CultureInfo.InvariantCulture, $"{rate.RowsPerSecond:0.0} rows/s{Left(rate.EtaSeconds)}") : null,
        progress.Message,
    }.Where(part => part is not null));

    private static string Left(double? seconds) =>
        seconds is { } left ? string.Create(CultureInfo.InvariantCulture, $", {left:0} s left") : "";

    private static void Print(IngestReport report, IAnsiConsole console)
    {
        var counts = report.Counts;
        console.WriteLine();
        var table = new Table { Title = new TableTitle(Markup.Escape($"{report.Repo} at {report.Commit}")) };
        table.AddColumn("").AddColumn("count");
        void Row(string name, long count) => table.AddRow(Markup.Escape(name), count.ToString(CultureInfo.InvariantCulture));
        Row("rows", counts.Rows);
        Row("images stored", counts.Stored);
        Row("duplicates", counts.Duplicates);
        foreach (var (reason, count) in counts.RejectedBy) Row($"rejected: {reason}", count);
        foreach (var (split, count) in report.Splits) Row($"{split} samples", count);
        Row("categories", report.CategoryCount);
        console.Write(table);
        foreach (var warning in report.Warnings ?? []) console.WriteLine($"warning: {warning.Message}");
        console.WriteLine($"columns: {JsonSerializer.Serialize(report.Columns, PipelineJson.Compact)}");
        var names = new DatasetBlobs(report.Repo, report.Commit, report.View);
        console.WriteLine($"every row with its status: {Containers.Datasets}/{names.CatalogCsv}");
    }
}

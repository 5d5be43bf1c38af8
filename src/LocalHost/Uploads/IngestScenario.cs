using System.Globalization;
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
            var others = await new FolderUpload(folder, blobs.GetBlobContainerClient(source.Container), screen, source.Folder)
                .RunAsync(cancellationToken);
            if (others > 0)
            {
                screen.Say(
                    $"{source.Container}/{source.Folder} has {others} more blobs, which are not in {folder.FullName} and are read too");
            }
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            throw new InvalidOperationException(
                $"{folder.FullName} cannot be uploaded to {blobs.Uri}: {HostStorage.LastAttempt(e).Message.Split('\n')[0]}", e);
        }
        Tell(await client.InspectAsync(request, cancellationToken), screen);
        var accepted = await client.StartIngestionAsync(request, cancellationToken);
        screen.Say($"ingestion     {accepted.Id}, commit {accepted.Commit}");
        var report = await client.FollowIngestionAsync(
            accepted, progress => screen.Show(Describe(progress), progress.Phase.ToString()), cancellationToken);
        screen.Close();
        var rejected = await Task.WhenAll(report.Counts.RejectedBy.Keys.Select(
            reason => client.GetRejectedAsync(report, reason, IngestSummary.RowsOfReason, cancellationToken)));
        new IngestSummary(report, [.. rejected.SelectMany(rows => rows)], app, hasKey: key is not null).Print(AnsiConsole.Console);
        return 0;
    }

    /// <summary>Tells how the files are read, which columns were guessed, and which are left out.</summary>
    /// <exception cref="InvalidOperationException">The columns have to be named.</exception>
    internal static void Tell(DatasetInspection dataset, ProgressScreen screen)
    {
        if (dataset.Form is { } form) screen.Say($"form          {form}");
        if (dataset.Mapping is not { } mapping)
        {
            throw new InvalidOperationException($$"""
                {{dataset.Guess}}
                Name them, as many as there are:
                  --columns '{ "image": "{{dataset.Columns[0].Name}}", "title": "…", "category": "…", "price": "…",
                    "fields": { "brand": { "column": "…", "kind": "category" } } }'
                """);
        }
        if (dataset.Guess is { } guess) screen.Say($"guessed       {guess}");
        var left = dataset.Columns.Select(column => column.Name).Except(mapping.Names).ToList();
        if (left.Count > 0)
            screen.Say($"not read      {string.Join(", ", left)}: \"fields\" of --columns has the model learn them too");
        foreach (var warning in dataset.Warnings ?? []) screen.Say($"warning       {warning.Message}");
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
}

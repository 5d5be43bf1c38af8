using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints that show ingested datasets: reports, rows and images.</summary>
public sealed partial class DatasetViewEndpoints(StoredDatasets datasets, StoredImages images)
{
    private const int MostRows = 1000;

    /// <summary><c>GET /api/datasets</c>: the ingested datasets, the last one first.</summary>
    [Function(nameof(ListDatasets))]
    public async Task<IActionResult> ListDatasets(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "datasets")] HttpRequest request, CancellationToken cancellationToken) =>
        Responses.Json(new DatasetViewList(await datasets.ListAsync(cancellationToken)));

    /// <summary><c>GET /api/datasets/{owner}/{name}/{commit}/{view}</c>: the report of an ingested dataset.</summary>
    [Function(nameof(GetDataset))]
    public async Task<IActionResult> GetDataset(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "datasets/{owner}/{name}/{commit}/{view}")] HttpRequest request,
        string owner, string name, string commit, string view,
        CancellationToken cancellationToken)
    {
        var dataset = new DatasetBlobs($"{owner}/{name}", commit, view);
        return await datasets.ReportAsync(dataset, cancellationToken) is { } report ? Responses.Json(report) : NoDataset(dataset);
    }

    /// <summary>
    /// <c>GET /api/datasets/{owner}/{name}/{commit}/{view}/rows?state=&amp;reason=&amp;split=&amp;top=&amp;continuation=</c>: a page of
    /// rows with their statuses, also of an ingestion in progress.
    /// </summary>
    [Function(nameof(ListRows))]
    public async Task<IActionResult> ListRows(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "datasets/{owner}/{name}/{commit}/{view}/rows")] HttpRequest request,
        string owner, string name, string commit, string view,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var parameters = new QueryParameters(request.Query, errors);
        var state = parameters.Word("state", "stored", "duplicate", "rejected");
        var filter = new RowFilter(
            state is null ? null : Enum.Parse<RowState>(state, ignoreCase: true), parameters.Text("reason"),
            parameters.Word("split", Splits.Train, Splits.Validation, Splits.Test));
        var (top, continuation) = (parameters.Top(MostRows), parameters.Text("continuation"));
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        var dataset = new DatasetBlobs($"{owner}/{name}", commit, view);
        return await Responses.ContinueAsync(continuation, async () =>
            await datasets.RowsAsync(dataset, filter, top, continuation, cancellationToken) is { } page
                ? Responses.Json(page)
                : NoDataset(dataset));
    }

    /// <summary><c>GET /api/datasets/{owner}/{name}/images/{sha256}?width=</c>: the image of a row.</summary>
    [Function(nameof(GetRowImage))]
    public async Task<IActionResult> GetRowImage(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "datasets/{owner}/{name}/images/{sha256}")] HttpRequest request,
        string owner, string name, string sha256,
        CancellationToken cancellationToken)
    {
        if (!Sha256().IsMatch(sha256))
            return Responses.Problem(StatusCodes.Status400BadRequest, "sha256 must be 64 lower-case hexadecimal digits.", "sha256");
        var repo = $"{owner}/{name}";
        return await images.RespondAsync(request, datasets.Image(repo, sha256), isImmutable: true, cancellationToken)
            ?? Responses.Problem(StatusCodes.Status404NotFound, $"The dataset {repo} has no image {sha256}.", "sha256");
    }

    private static ContentResult NoDataset(DatasetBlobs dataset) => Responses.Problem(
        StatusCodes.Status404NotFound, $"There is no ingested dataset {dataset.Repo}@{dataset.Commit} with the view '{dataset.View}'.");

    [GeneratedRegex(@"\A[0-9a-f]{64}\z")]
    private static partial Regex Sha256();
}

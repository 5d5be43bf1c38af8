using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints that show what a run was asked for, what it measured and what its model answered.</summary>
public sealed class RunDocumentEndpoints(RunDocumentStore store, RunSummaries summaries, StoredImages images)
{
    private const int MostAnswers = 1000;

    /// <summary><c>GET /api/runs/{run}/request</c>: the accepted request, its revisions pinned to commits.</summary>
    [Function(nameof(GetRunRequest))]
    public async Task<IActionResult> GetRunRequest(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/request")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken) =>
        await RunReader.ExistsAsync(client, run, cancellationToken)
            && await store.AcceptedAsync<RunRequest>(run, cancellationToken) is { } accepted
            ? Responses.Json(accepted)
            : Responses.NoRun(run);

    /// <summary><c>GET /api/runs/{run}/summary</c>: the loss curves and the result.</summary>
    [Function(nameof(GetRunSummary))]
    public async Task<IActionResult> GetRunSummary(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/summary")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (!await RunReader.ExistsAsync(client, run, cancellationToken)) return Responses.NoRun(run);
        var version = await summaries.VersionAsync(run, cancellationToken);
        if (Conditions.NotModified(request, Responses.ETag(version.Parts)) is { } known) return known;
        return await summaries.ReadAsync(run, version, cancellationToken) is { } summary ? Responses.Json(summary) : Responses.NoRun(run);
    }

    /// <summary><c>GET /api/runs/{run}/samples</c>: the gallery.</summary>
    [Function(nameof(GetSamples))]
    public async Task<IActionResult> GetSamples(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/samples")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (!await RunReader.ExistsAsync(client, run, cancellationToken)) return Responses.NoRun(run);
        if (await store.VersionAsync(new RunBlobs(run).Gallery, cancellationToken) is { } version
            && Conditions.NotModified(request, version.ETag.ToString("H")) is { } known) return known;
        return await store.GalleryAsync(run, cancellationToken) is { } gallery
            ? Responses.Json(gallery)
            : Responses.Problem(StatusCodes.Status404NotFound, $"The run '{run}' has no gallery (yet).", "run");
    }

    /// <summary><c>GET /api/runs/{run}/samples/{file}?width=</c>: an image of the gallery.</summary>
    [Function(nameof(GetSampleImage))]
    public async Task<IActionResult> GetSampleImage(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/samples/{file}")] HttpRequest request,
        string run,
        string file,
        CancellationToken cancellationToken) =>
        await images.RespondAsync(request, store.SampleImage(run, file), isImmutable: false, cancellationToken)
            ?? Responses.Problem(StatusCodes.Status404NotFound, $"The gallery of the run '{run}' has no image '{file}'.", "file");

    /// <summary>
    /// <c>GET /api/runs/{run}/answers?model=&amp;split=&amp;top=&amp;continuation=</c>: a page of the answers to the samples of the
    /// evaluations.
    /// </summary>
    [Function(nameof(ListAnswers))]
    public async Task<IActionResult> ListAnswers(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "runs/{run}/answers")] HttpRequest request,
        string run,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var parameters = new QueryParameters(request.Query, errors);
        var model = parameters.Word("model", EvaluatedAnswer.BaseModel, EvaluatedAnswer.FineTunedModel);
        var split = parameters.Word("split", Splits.Train, Splits.Validation, Splits.Test);
        var (top, continuation) = (parameters.Top(MostAnswers), parameters.Text("continuation"));
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        if (!await RunReader.ExistsAsync(client, run, cancellationToken)) return Responses.NoRun(run);
        return await Responses.PageAsync(
            continuation, () => store.AnswersAsync(run, model, split, top, continuation, cancellationToken));
    }
}

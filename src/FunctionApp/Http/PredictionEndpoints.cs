using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>A page of prediction documents, or of images that wait for theirs.</summary>
/// <param name="Predictions">Documents in the order of their names; fewer than asked for can come although there are more.</param>
/// <param name="Waiting">Images without a document; only with <c>status=waiting</c>.</param>
/// <param name="Continuation">Value of <c>continuation</c> for the next page; absent on the last page.</param>
public sealed record PredictionPage(
    IReadOnlyList<PredictionDocument>? Predictions, IReadOnlyList<WaitingImage>? Waiting, string? Continuation);

/// <summary>Answer to a request that has images read again.</summary>
/// <param name="Id">Instance id of the orchestration.</param>
/// <param name="Management">URLs of the orchestration's status and management; absent for a single image.</param>
public sealed record ReadAgainAccepted(string Id, IReadOnlyDictionary<string, string>? Management = null);

/// <summary>Endpoints for predictions.</summary>
public sealed class PredictionEndpoints(
    PredictionStore predictions, CorrectionStore corrections, ImageReadings readings, ModelRegistry models, TimeProvider time)
{
    private const string Waiting = "waiting";
    private const string Retry = "retry";
    private const string Timeline = "/timeline";

    /// <summary><c>GET /api/predictions</c>: documents by status, prefix of the image's name, and model; or images that wait.</summary>
    [Function(nameof(ListPredictions))]
    public async Task<IActionResult> ListPredictions(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "predictions")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var query = PredictionQuery.Read(request.Query, errors);
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        return await Responses.ContinueAsync(query.Continuation, async () =>
        {
            if (query.OnlyWaiting)
            {
                var (images, next) = await ImageReadings.ListAsync(
                    client, query.Filter.Prefix, query.Top, query.Continuation, cancellationToken);
                return Responses.Json(request, new PredictionPage(null, images, next));
            }
            var (found, continuation) = await predictions.FindAsync(query.Filter, query.Top, query.Continuation, cancellationToken);
            var etag = Responses.ETag([.. found.Select(blob => $"{blob.Name} {blob.Properties.ETag}"), $"{continuation}"]);
            return Conditions.NotModified(request, etag) ?? Responses.Json(new PredictionPage(
                await predictions.ReadAsync(query.Filter, found, cancellationToken), null, continuation));
        });
    }

    /// <summary><c>GET /api/predictions/counts?prefix=&amp;below=</c>: the numbers of uploaded images by state.</summary>
    [Function(nameof(CountPredictions))]
    public async Task<IActionResult> CountPredictions(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "predictions/counts")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var parameters = new QueryParameters(request.Query, errors);
        var (prefix, below) = (parameters.Text("prefix"), parameters.Share("below"));
        if (errors.All is { Count: > 0 } all) return Responses.Problem(all);
        var waiting = ImageReadings.CountAsync(client, prefix, cancellationToken);
        var counts = await predictions.CountAsync(prefix, below, cancellationToken);
        var (images, isComplete) = await waiting;
        return Responses.Json(counts with { Waiting = images, IsComplete = counts.IsComplete && isComplete });
    }

    /// <summary>
    /// <c>GET /api/predictions/{name}</c>: the document of an image; 202 with the reason while its current version has none.
    /// </summary>
    [Function(nameof(GetPrediction))]
    public async Task<IActionResult> GetPrediction(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "predictions/{*name}")] HttpRequest request,
        string name,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        if (ImageName.IsOfCorrection(name)) return await CorrectionEndpoints.GetAsync(corrections, name, cancellationToken);
        if (name.EndsWith(Timeline, StringComparison.Ordinal))
            return await TimelineAsync(ImageName.Decode(name[..^Timeline.Length]), client, cancellationToken);
        name = ImageName.Decode(name);
        var document = await predictions.ReadAsync(name, cancellationToken);
        var version = await UploadedVersion.ReadAsync(predictions.Image(name), cancellationToken);
        if (version is not null && version.ETag != document?.ETag)
        {
            return Responses.Json(
                await ImageReadings.FindAsync(client, name, version, cancellationToken), StatusCodes.Status202Accepted);
        }
        return document is null ? Responses.NoImage(name) : Responses.Json(document);
    }

    /// <summary>
    /// <c>POST /api/predictions/{name}/retry</c>: has an image read again, or asked for at once if it waits.
    /// <c>POST /api/predictions/retry?status=failed</c>: has all images read again whose documents have that status, prefix and model.
    /// </summary>
    // Nothing may follow a name with slashes in a route, so that "/retry" is part of the name.
    [Function(nameof(RetryPredictions))]
    public async Task<IActionResult> RetryPredictions(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "predictions/{*name}")] HttpRequest request,
        string name,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken)
    {
        name = ImageName.Decode(name);
        if (name == Retry) return await RetryAllAsync(request, client, context, cancellationToken);
        const string Suffix = "/" + Retry;
        return name.EndsWith(Suffix, StringComparison.Ordinal)
            ? await RetryAsync(name[..^Suffix.Length], client, cancellationToken)
            : Responses.Problem(
                StatusCodes.Status404NotFound, "There are POST /api/predictions/{name}/retry and POST /api/predictions/retry.");
    }

    /// <summary>
    /// <c>POST /api/models/{version}/repredict?prefix=</c>: has all images read again that another model answered. The model must serve.
    /// </summary>
    [Function(nameof(Repredict))]
    public async Task<IActionResult> Repredict(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "models/{version}/repredict")] HttpRequest request,
        string version,
        [DurableClient] DurableTaskClient client,
        FunctionContext context,
        CancellationToken cancellationToken)
    {
        if (await models.CurrentAsync(cancellationToken) is not { } current || current.Version != version)
        {
            var message = $"The model {version} does not serve, so that it cannot answer: activate it first.";
            return Responses.Problem(StatusCodes.Status409Conflict, message, "version");
        }
        var prefix = request.Query["prefix"].LastOrDefault();
        var filter = new PredictionFilter(PredictionStatus.Predicted, prefix, NotModel: version);
        return await ReadAgainAsync(request, filter, client, context, cancellationToken);
    }

    private async Task<IActionResult> TimelineAsync(string name, DurableTaskClient client, CancellationToken cancellationToken)
    {
        if (await UploadedVersion.ReadAsync(predictions.Image(name), cancellationToken) is not { } version) return Responses.NoImage(name);
        var id = ImageReadings.Id(name, version.ETag);
        return await TimelineReader.ReadAsync(client, id, cancellationToken) is { } timeline
            ? Responses.Json(timeline)
            : Responses.Problem(
                StatusCodes.Status404NotFound,
                $"The reading of '{name}' has no history: it has not begun, or it was purged (setting Predictions:KeepHistory).",
                "name");
    }

    private async Task<IActionResult> RetryAsync(string name, DurableTaskClient client, CancellationToken cancellationToken)
    {
        if (await UploadedVersion.ReadAsync(predictions.Image(name), cancellationToken) is not { } version) return Responses.NoImage(name);
        var id = await readings.RestartAsync(client, name, version, cancellationToken);
        return Responses.Json(new ReadAgainAccepted(id), StatusCodes.Status202Accepted);
    }

    private async Task<IActionResult> RetryAllAsync(
        HttpRequest request, DurableTaskClient client, FunctionContext context, CancellationToken cancellationToken)
    {
        var errors = new ValidationErrors();
        var query = PredictionQuery.Read(request.Query, errors);
        if (query.Filter.Status is null) errors.Add("status", "must be failed, rejected or predicted: the documents to read again");
        return errors.All is { Count: > 0 } all
            ? Responses.Problem(all)
            : await ReadAgainAsync(request, query.Filter, client, context, cancellationToken);
    }

    private async Task<IActionResult> ReadAgainAsync(
        HttpRequest request, PredictionFilter filter, DurableTaskClient client, FunctionContext context,
        CancellationToken cancellationToken)
    {
        var id = InstanceIds.New("read-again", time);
        await client.ScheduleNewOrchestrationInstanceAsync(
            nameof(ReadImagesAgain), new ReadAgainInput(filter, null, new ReadAgainProgress(0)),
            new StartOrchestrationOptions(InstanceId: id), cancellationToken);
        var management = ManagementUrls.Of(client.CreateHttpManagementPayload(id, await context.GetHttpRequestDataAsync()));
        request.HttpContext.Response.Headers.Location = management[ManagementUrls.Status];
        return Responses.Json(new ReadAgainAccepted(id, management), StatusCodes.Status202Accepted);
    }

    private sealed record PredictionQuery(PredictionFilter Filter, bool OnlyWaiting, int Top, string? Continuation)
    {
        /// <summary>Parses the query's parameters and adds invalid ones to <paramref name="errors"/>.</summary>
        public static PredictionQuery Read(IQueryCollection query, ValidationErrors errors)
        {
            var parameters = new QueryParameters(query, errors);
            PredictionStatus? status = null;
            if (parameters.Text("status") is { } word && word != Waiting)
            {
                // Enum.TryParse also accepts numbers.
                if (char.IsLetter(word[0]) && Enum.TryParse<PredictionStatus>(word, ignoreCase: true, out var known)) status = known;
                else errors.Add("status", $"is '{word}', must be predicted, rejected, failed or waiting");
            }
            var filter = new PredictionFilter(
                status, parameters.Text("prefix"), parameters.Text("model"), Below: parameters.Share("below"));
            return new PredictionQuery(
                filter, parameters.Text("status") == Waiting, parameters.Top(), parameters.Text("continuation"));
        }
    }
}

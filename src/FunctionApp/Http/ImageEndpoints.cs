using System.Globalization;
using Azure;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>
/// Endpoints that take images: to answer them at once, or to upload, show and delete them without a storage client.
/// </summary>
public sealed class ImageEndpoints(PredictionStore predictions, ImageReadings readings, PredictionClient worker, StoredImages images)
{
    /// <summary><c>POST /api/predict</c>: the answer to an image, raw or as the only file of a form; stores nothing.</summary>
    [Function(nameof(Predict))]
    public async Task<IActionResult> Predict(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "predict")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        try
        {
            var body = await ImageBody.ReadAsync(request, cancellationToken);
            var image = new byte[body.Content.Length];
            await body.Content.ReadExactlyAsync(image, cancellationToken);
            var answer = await worker.PredictAsync(image, cancellationToken);
            if (answer.Prediction is { } prediction) return Responses.Json(prediction);
            if (answer.RetryAfter is { } pause)
                request.HttpContext.Response.Headers.RetryAfter = Math.Ceiling(pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            var status = answer.State switch
            {
                ReadingState.Busy => StatusCodes.Status429TooManyRequests,
                ReadingState.Broken => StatusCodes.Status502BadGateway,
                _ => StatusCodes.Status503ServiceUnavailable,
            };
            return Responses.Problem(status, answer.Reason!);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
    }

    /// <summary>
    /// <c>PUT /api/images/{name}</c>: uploads an image, raw or as the only file of a form. <c>If-Match</c> and <c>If-None-Match</c> apply.
    /// </summary>
    [Function(nameof(UploadImage))]
    public async Task<IActionResult> UploadImage(
        [HttpTrigger(AuthorizationLevel.Function, "put", Route = "images/{*name}")] HttpRequest request,
        string? name,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        try
        {
            var image = ImageName.Read(name);
            var conditions = Conditions.Read(request);
            var body = await ImageBody.ReadAsync(request, cancellationToken);
            var blob = predictions.Image(image);
            // Only the status depends on it: another upload may come in between.
            var existed = await blob.ExistsAsync(cancellationToken);
            var options = new BlobUploadOptions
            {
                Conditions = conditions,
                HttpHeaders = new BlobHttpHeaders { ContentType = body.MediaType },
            };
            var uploaded = (await blob.UploadAsync(body.Content, options, cancellationToken)).Value;
            // Sooner than the blob trigger, which then finds the reading started.
            var version = new UploadedVersion(uploaded.ETag.ToString(), uploaded.LastModified);
            await readings.StartAsync(client, image, version, cancellationToken);
            var accepted = new UploadAccepted(image, version.ETag, PredictionUrl(request, image));
            request.HttpContext.Response.Headers.ETag = uploaded.ETag.ToString("H");
            request.HttpContext.Response.Headers.Location = accepted.PredictionUrl;
            return Responses.Json(accepted, existed ? StatusCodes.Status200OK : StatusCodes.Status201Created);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
        catch (RequestFailedException e) when (Conditions.HasFailed(e))
        {
            return Responses.Problem(
                StatusCodes.Status412PreconditionFailed, "If-Match or If-None-Match does not hold for the image there.");
        }
    }

    /// <summary><c>GET /api/images/{name}?width=</c>: an uploaded image, or a thumbnail of it.</summary>
    [Function(nameof(GetImage))]
    public async Task<IActionResult> GetImage(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "images/{*name}")] HttpRequest request,
        string? name,
        CancellationToken cancellationToken)
    {
        try
        {
            var image = ImageName.Read(name);
            return await images.RespondAsync(request, predictions.Image(image), isImmutable: false, cancellationToken)
                ?? Responses.NoImage(image);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
    }

    /// <summary><c>DELETE /api/images/{name}</c>: deletes an image. <c>If-Match</c> applies.</summary>
    [Function(nameof(DeleteImage))]
    public async Task<IActionResult> DeleteImage(
        [HttpTrigger(AuthorizationLevel.Function, "delete", Route = "images/{*name}")] HttpRequest request,
        string? name,
        CancellationToken cancellationToken)
    {
        try
        {
            var image = ImageName.Read(name);
            var deleted = await predictions.Image(image).DeleteIfExistsAsync(
                conditions: Conditions.Read(request), cancellationToken: cancellationToken);
            return deleted ? new NoContentResult() : Responses.NoImage(image);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
        catch (RequestFailedException e) when (Conditions.HasFailed(e))
        {
            return Responses.Problem(StatusCodes.Status412PreconditionFailed, "If-Match does not hold for the image there.");
        }
    }

    // Relative to the request's own path: host.json may change the route prefix.
    private static string PredictionUrl(HttpRequest request, string image)
    {
        var path = $"{request.PathBase}{request.Path.Value}";
        return $"{path[..path.IndexOf("/images/", StringComparison.OrdinalIgnoreCase)]}/predictions/{ImageName.ToPath(image)}";
    }
}

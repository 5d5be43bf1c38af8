using System.Globalization;
using System.Text.Json;
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
    /// <summary>
    /// <c>POST /api/predict</c>: the answer to an image, raw or as the only file of a form, at once or as <see cref="PredictionEvents"/>;
    /// stores nothing.
    /// </summary>
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
            if (AcceptsEvents(request)) return await StreamAsync(request.HttpContext, image, cancellationToken);
            var answer = await worker.PredictAsync(image, cancellationToken);
            return answer.Prediction is { } prediction ? Responses.Json(prediction) : Refusal(request.HttpContext, answer);
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

    private async Task<IActionResult> StreamAsync(HttpContext context, ReadOnlyMemory<byte> image, CancellationToken cancellationToken)
    {
        // The host cancels an invocation when it stops, and the connection tells that the caller has gone.
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.RequestAborted);
        var hasStarted = false;
        var answer = await worker.StreamAsync(image, SendAsync, gone.Token);
        if (answer.Prediction is { } prediction)
            await SendAsync(PredictionEvents.Prediction, JsonSerializer.Serialize(prediction, PipelineJson.Compact));
        else if (answer.State != ReadingState.Answered)
        {
            if (!hasStarted) return Refusal(context, answer);
            var problem = Responses.ProblemOf(Status(answer), answer.Reason!);
            await SendAsync(PredictionEvents.Problem, JsonSerializer.Serialize(problem, PipelineJson.Compact));
        }
        return new EmptyResult();

        async Task SendAsync(string name, string json)
        {
            if (!hasStarted)
            {
                context.Response.ContentType = PredictionEvents.MediaType;
                context.Response.Headers.CacheControl = "no-cache";
                hasStarted = true;
            }
            await context.Response.WriteAsync(PredictionEvents.Format(name, json), gone.Token);
            await context.Response.Body.FlushAsync(gone.Token);
        }
    }

    private static ContentResult Refusal(HttpContext context, WorkerAnswer answer)
    {
        if (answer.RetryAfter is { } pause)
            context.Response.Headers.RetryAfter = Math.Ceiling(pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return Responses.Problem(Status(answer), answer.Reason!);
    }

    private static int Status(WorkerAnswer answer) => answer.State switch
    {
        ReadingState.Busy => StatusCodes.Status429TooManyRequests,
        ReadingState.Broken => StatusCodes.Status502BadGateway,
        _ => StatusCodes.Status503ServiceUnavailable,
    };

    private static bool AcceptsEvents(HttpRequest request) => request.GetTypedHeaders().Accept
        .Any(accept => accept.MediaType.Equals(PredictionEvents.MediaType, StringComparison.OrdinalIgnoreCase));

    // Relative to the request's own path: host.json may change the route prefix.
    private static string PredictionUrl(HttpRequest request, string image)
    {
        var path = $"{request.PathBase}{request.Path.Value}";
        return $"{path[..path.IndexOf("/images/", StringComparison.OrdinalIgnoreCase)]}/predictions/{ImageName.ToPath(image)}";
    }
}

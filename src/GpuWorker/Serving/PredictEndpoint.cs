using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using System.Threading.RateLimiting;
using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.Images;
using FunctionsPipeline.Shared;
using Microsoft.AspNetCore.WebUtilities;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// <c>POST /predict</c>: answers a <see cref="PredictRequest"/>, or the bytes of an image, with a <see cref="Prediction"/>, or with
/// <see cref="PredictionEvents"/> when the request accepts these.
/// </summary>
/// <param name="places">Requests in progress.</param>
internal sealed class PredictEndpoint(
    ServingOptions options, ConcurrencyLimiter places, PacedRetry pace, UploadReader uploads, ImageDesk desk, ModelFollower models,
    BatchLoop batches, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<PredictEndpoint> logger)
{
    private static readonly TimeSpan StorageRetry = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Answers 200 with the prediction, also for what is not an image; 400, 404, 412, 429 or 503 with a problem.
    /// </summary>
    public async Task<IResult> HandleAsync(HttpContext context)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested) return Busy(context, 503, "The server is stopping.", TimeSpan.Zero);
        using var place = places.AttemptAcquire();
        if (!place.IsAcquired)
        {
            return Busy(context, 429, $"{options.Queue} requests are in progress.", pace.Next(options.Queue));
        }
        try
        {
            return await PredictAsync(context, context.RequestAborted);
        }
        catch (JsonException e)
        {
            return Problem(400, $"The body is no prediction request: {e.Message}");
        }
        catch (BadHttpRequestException e)
        {
            return Problem(e.StatusCode, e.Message);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return Problem(e.Status, e.Status == 404 ? "There is no such image (any more)." : "The image has changed since.");
        }
        // The client reports a storage account that did not answer in any of its tries as AggregateException.
        catch (Exception e) when (e is RequestFailedException or AggregateException { InnerException: RequestFailedException })
        {
            return Busy(context, 503, $"The image cannot be read from storage: {e.Message}", StorageRetry);
        }
    }

    private async Task<IResult> PredictAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        PredictRequest? request = null;
        if (context.Request.HasJsonContentType())
        {
            request = await JsonSerializer.DeserializeAsync<PredictRequest>(context.Request.Body, PipelineJson.Compact, cancellationToken);
            if (request is not { Blob.Length: > 0, ETag.Length: > 0 }) return Problem(400, "The body must be {\"blob\": …, \"etag\": …}.");
        }
        var name = request?.Blob ?? "An image";
        using var room = await desk.EnterAsync(cancellationToken);
        try
        {
            var bytes = request is null
                ? await UploadReader.ReadAsync(context.Request, cancellationToken)
                : await uploads.ReadAsync(request, cancellationToken);
            // Rejects most of what is no image while there is no model, too.
            ImageReader.Identify(bytes);
            using var model = models.Lease();
            if (model is null) return Busy(context, 503, models.Problem ?? "The model is being exchanged.", models.RetryAfter);
            var image = await desk.PrepareAsync(model, bytes, question: null, cancellationToken);
            if (AcceptsEvents(context.Request))
            {
                await StreamAsync(context, model, image, Predicted, cancellationToken);
                return Results.Empty;
            }
            var answer = await batches.AnswerAsync(model.Predictor, image, cancellationToken);
            return Results.Json(Predicted(answer), PipelineJson.Options);

            Prediction Predicted(PredictedAnswer answer)
            {
                var seconds = time.GetElapsedTime(started).TotalSeconds;
                logger.Predicted(name, answer.Text, seconds);
                return new Prediction
                {
                    Status = PredictionStatus.Predicted,
                    Answer = answer.Text,
                    Title = answer.Read?.Title,
                    Category = answer.Read?.Category,
                    Price = answer.Read?.Price,
                    Fields = answer.Read?.Fields,
                    Confidence = answer.Confidence,
                    Model = model.Published.Version,
                    ModelPublishedAt = model.Published.PublishedAt,
                    Seconds = seconds,
                    At = time.GetUtcNow(),
                };
            }
        }
        catch (UnreadableImageException e)
        {
            logger.Rejected(name, e.Reason, e.Detail);
            var rejected = new Prediction
            {
                Status = PredictionStatus.Rejected,
                Reason = e.Reason,
                Detail = e.Detail,
                Seconds = time.GetElapsedTime(started).TotalSeconds,
                At = time.GetUtcNow(),
            };
            return AcceptsEvents(context.Request)
                ? Results.Text(PredictionEvents.Format(PredictionEvents.Prediction, rejected), PredictionEvents.MediaType)
                : Results.Json(rejected, PipelineJson.Options);
        }
    }

    private async Task StreamAsync(
        HttpContext context, ModelLease model, PreparedImage image, Func<PredictedAnswer, Prediction> predicted,
        CancellationToken cancellationToken)
    {
        var pieces = Channel.CreateUnbounded<AnswerPiece>();
        var computing = batches.StreamAsync(model.Predictor, image, model.Predictor.Generation, pieces.Writer, cancellationToken);
        try
        {
            // Throws what happens before the first token, so that it becomes a response of its own.
            await pieces.Reader.WaitToReadAsync(cancellationToken);
            context.Response.ContentType = PredictionEvents.MediaType;
            context.Response.Headers.CacheControl = "no-cache";
            try
            {
                await foreach (var piece in pieces.Reader.ReadAllAsync(cancellationToken))
                {
                    if (piece.Text.Length > 0) await SendAsync(PredictionEvents.Delta, new AnswerDelta(piece.Text));
                    if (piece.Answer is { } answer) await SendAsync(PredictionEvents.Prediction, predicted(answer));
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                logger.StreamFailed(e);
                await SendAsync(PredictionEvents.Problem, new Problem(500, ReasonPhrases.GetReasonPhrase(500), e.Message));
            }
        }
        finally
        {
            // The model must be in memory until the computation has ended.
            await computing;
        }

        async Task SendAsync<T>(string name, T data)
        {
            await context.Response.WriteAsync(PredictionEvents.Format(name, data), cancellationToken);
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }

    private static bool AcceptsEvents(HttpRequest request) => request.GetTypedHeaders().Accept
        .Any(accept => accept.MediaType.Equals(PredictionEvents.MediaType, StringComparison.OrdinalIgnoreCase));

    private static IResult Busy(HttpContext context, int status, string detail, TimeSpan retryAfter)
    {
        var seconds = Math.Max(1, Math.Ceiling(retryAfter.TotalSeconds));
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Problem(status, detail);
    }

    private static IResult Problem(int status, string detail) => Results.Problem(statusCode: status, detail: detail);
}

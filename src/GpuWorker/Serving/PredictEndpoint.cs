using System.Text.Json;
using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary><c>POST /predict</c>: answers a <see cref="PredictRequest"/> with a <see cref="PredictionDocument"/>.</summary>
internal sealed class PredictEndpoint(CurrentPredictor current, UploadReader uploads, TimeProvider time, ILogger<PredictEndpoint> logger)
{
    /// <summary>Answers 200 with the document, also for an upload that is not an image; 400, 404, 412 or 503 with a problem.</summary>
    public async Task<IResult> HandleAsync(HttpContext context)
    {
        var cancellationToken = context.RequestAborted;
        try
        {
            var request = await JsonSerializer.DeserializeAsync<PredictRequest>(context.Request.Body, PipelineJson.Compact, cancellationToken);
            if (request is not { Blob.Length: > 0, ETag.Length: > 0 }) return Problem(400, "The body must be {\"blob\": …, \"etag\": …}.");
            return await PredictAsync(request, cancellationToken);
        }
        catch (JsonException e)
        {
            return Problem(400, $"The body is no prediction request: {e.Message}");
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return Problem(e.Status, e.Status == 404 ? "There is no such image (any more)." : "The image has changed since.");
        }
    }

    private async Task<IResult> PredictAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            var bytes = await uploads.ReadAsync(request, cancellationToken);
            ImageReader.Identify(bytes);
            var prediction = await current.UseAsync(
                (model, predictor) => Predicted(request, model, predictor.Answer(bytes, cancellationToken)), cancellationToken);
            if (prediction is null) return Problem(503, "No model has been published yet; fine-tune one first.");
            return Answered(prediction with { Seconds = time.GetElapsedTime(started).TotalSeconds });
        }
        catch (UnreadableImageException e)
        {
            logger.Rejected(request.Blob, e.Reason, e.Detail);
            return Results.Json(new PredictionDocument
            {
                Image = request.Blob,
                ETag = request.ETag,
                Status = PredictionStatus.Rejected,
                Reason = e.Reason,
                Detail = e.Detail,
                Seconds = time.GetElapsedTime(started).TotalSeconds,
                At = time.GetUtcNow(),
            }, PipelineJson.Options);
        }
    }

    private IResult Answered(PredictionDocument prediction)
    {
        logger.Predicted(prediction.Image, prediction.Answer ?? "", prediction.Seconds);
        return Results.Json(prediction, PipelineJson.Options);
    }

    private PredictionDocument Predicted(PredictRequest request, string model, PredictedAnswer predicted)
    {
        var answer = predicted.Read;
        return new PredictionDocument
        {
            Image = request.Blob,
            ETag = request.ETag,
            Status = PredictionStatus.Predicted,
            Answer = predicted.Text,
            Title = answer?.Title,
            Category = answer?.Category,
            Price = answer?.Price,
            Model = model,
            At = time.GetUtcNow(),
        };
    }

    private static IResult Problem(int status, string detail) => Results.Problem(statusCode: status, detail: detail);
}

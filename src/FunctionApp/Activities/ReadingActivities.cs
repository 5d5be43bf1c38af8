using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <summary>State of an image after a request, and the pause before the next one.</summary>
/// <param name="Reason">Reason for the wait; null when there is none.</param>
public sealed record WorkerReply(ReadingState State, TimeSpan Pause = default, string? Reason = null);

/// <param name="Top">Maximum number of documents of the page.</param>
public sealed record DocumentPageInput(PredictionFilter Filter, int Top, string? Continuation);

/// <summary>Page of images with documents, and the continuation of the next page; null at the end.</summary>
public sealed record DocumentPage(IReadOnlyList<ImageReading> Images, string? Continuation);

/// <summary>Activities that have images read and their documents written.</summary>
public sealed class ReadingActivities(
    PredictionClient worker, WorkerSlots slots, PredictionStore predictions, ImageReadings readings, TimeProvider time,
    ILogger<ReadingActivities> logger)
{
    /// <summary>Asks the worker for an image and writes its answer, or writes the failed document of a reading that gives up.</summary>
    [Function(nameof(AskWorker))]
    public async Task<WorkerReply> AskWorker([ActivityTrigger] ImageReading reading, CancellationToken cancellationToken)
    {
        if (reading.Failure is { } failure)
        {
            var now = time.GetUtcNow();
            var failed = new Prediction { Status = PredictionStatus.Failed, Reason = failure.Reason, Detail = failure.Detail, At = now };
            return await WriteAsync(reading, failed, now, cancellationToken);
        }
        using var slot = slots.TryTake();
        if (slot is null) return new WorkerReply(ReadingState.Busy, slots.PauseWithoutSlot(), "other images are read first");
        var asked = time.GetUtcNow();
        var answer = await worker.PredictAsync(new PredictRequest(reading.Image, reading.ETag), cancellationToken);
        if (answer.Prediction is { } prediction)
            return await WriteAsync(reading with { Tries = reading.Tries + 1 }, prediction, asked, cancellationToken);
        if (answer.State != ReadingState.Busy && await IsSupersededAsync(reading, cancellationToken))
        {
            Logs.ImageGone(logger, reading.Image);
            return new WorkerReply(ReadingState.Superseded);
        }
        if (answer.State == ReadingState.Superseded)
        {
            answer = new WorkerAnswer(ReadingState.Away,
                "The GPU worker finds the image changed or deleted, but it was not: is its storage the one of this app?");
        }
        if (answer.State is ReadingState.NotReady or ReadingState.Away && slots.ShouldWarm()) await worker.WarmAsync(cancellationToken);
        var broken = reading.Broken + (answer.State == ReadingState.Broken ? 1 : 0);
        var pause = slots.PauseAfter(answer, asked - reading.WaitsSince, broken);
        Logs.ImageWaits(logger, reading.Image, pause.TotalSeconds, answer.Reason);
        return new WorkerReply(answer.State, pause, answer.Reason);
    }

    /// <summary>Has the images asked again that wait for a model.</summary>
    [Function(nameof(WakeImages))]
    public Task WakeImages([ActivityTrigger] string model, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken) =>
        ImageReadings.WakeAsync(client, cancellationToken);

    /// <summary>Lists a page of images whose documents pass a filter, as readings to begin.</summary>
    [Function(nameof(ListDocuments))]
    public async Task<DocumentPage> ListDocuments([ActivityTrigger] DocumentPageInput input, CancellationToken cancellationToken)
    {
        var (documents, continuation) = await predictions.ListAsync(input.Filter, input.Top, input.Continuation, cancellationToken);
        // An image that was changed since its document has a reading of its own, so that this one finds it superseded.
        return new DocumentPage(
            [.. documents.Select(document => readings.Begin(document.Image, new UploadedVersion(document.ETag, time.GetUtcNow())))],
            continuation);
    }

    private async Task<WorkerReply> WriteAsync(
        ImageReading reading, Prediction prediction, DateTimeOffset asked, CancellationToken cancellationToken)
    {
        var document = new PredictionDocument(prediction, reading.Image, reading.ETag)
        {
            Tries = reading.Tries,
            QueueSeconds = Math.Max(0, (asked - reading.UploadedAt).TotalSeconds),
        };
        if (!await predictions.WriteAsync(document, cancellationToken))
        {
            Logs.ImageGone(logger, reading.Image);
            return new WorkerReply(ReadingState.Superseded);
        }
        if (document.Status == PredictionStatus.Predicted)
            Logs.ImagePredicted(logger, document.Image, document.Answer, document.Model, document.Seconds);
        else Logs.ImageNotRead(logger, document.Image, document.Status, document.Reason, document.Detail);
        return new WorkerReply(ReadingState.Answered);
    }

    private async Task<bool> IsSupersededAsync(ImageReading reading, CancellationToken cancellationToken) =>
        (await UploadedVersion.ReadAsync(predictions.Image(reading.Image), cancellationToken))?.ETag != reading.ETag;
}

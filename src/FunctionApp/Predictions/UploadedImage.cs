using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;
using FunctionsPipeline.Shared;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>
/// Blob trigger that has the GPU worker read each uploaded image. An image that was changed or deleted in the meantime is skipped, because
/// its next version triggers again. A worker that cannot answer fails the call, so that the trigger retries.
/// </summary>
public sealed class UploadedImage(PredictionClient worker, PredictionWriter predictions, ILogger<UploadedImage> logger)
{
    [Function(nameof(UploadedImage))]
    public async Task RunAsync(
        [BlobTrigger(Containers.ProductImages + "/{name}", Source = BlobTriggerSource.EventGrid, Connection = PipelineStorage.Connection)]
        BlobClient blob,
        string name,
        CancellationToken cancellationToken)
    {
        if (await PredictionWriter.VersionAsync(blob, cancellationToken) is not { } version)
        {
            Logs.ImageGone(logger, name);
            return;
        }
        var prediction = await worker.PredictAsync(new PredictRequest(name, version.ToString()), cancellationToken);
        if (prediction is null && await PredictionWriter.VersionAsync(blob, cancellationToken) == version)
        {
            throw new InvalidOperationException(
                $"The GPU worker says that '{name}' was changed or deleted, but it was not: is Worker:Url the worker's URL, and its " +
                "storage this one?");
        }
        if (prediction is null || !await predictions.WriteAsync(blob, prediction, cancellationToken))
        {
            Logs.ImageGone(logger, name);
            return;
        }
        if (prediction.Status == PredictionStatus.Rejected) Logs.ImageRejected(logger, name, prediction.Reason, prediction.Detail);
        else Logs.ImagePredicted(logger, name, prediction.Answer, prediction.Model, prediction.Seconds);
    }
}

/// <summary>HTTP client of the GPU worker's prediction endpoint.</summary>
/// <param name="http">Client with the worker's URL as base address; none when the setting is missing.</param>
public sealed class PredictionClient(HttpClient http)
{
    private const string NoUrl = "The setting Worker:Url is missing: where the GPU worker answers, such as http://127.0.0.1:8080.";
    private const int QuotedCharacters = 500;
    private static readonly TimeSpan HealthTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Requests a prediction. Null when the blob was changed (412) or deleted (404) in the meantime.</summary>
    /// <exception cref="HttpRequestException">The worker cannot be reached or cannot answer now; retry later.</exception>
    /// <exception cref="PermanentFailureException">The setting <c>Worker:Url</c> is missing.</exception>
    public async Task<PredictionDocument?> PredictAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) throw new PermanentFailureException(NoUrl);
        // HttpClient sends the current span as the trace context, so that the worker continues this trace.
        using var span = PipelineTracing.Source.StartActivity("ask the GPU worker", ActivityKind.Client);
        span?.SetTag("pipeline.image", request.Blob);
        using var response = await http.PostAsJsonAsync("predict", request, PipelineJson.Compact, cancellationToken);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed) return null;
        if (!response.IsSuccessStatusCode)
        {
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            var quoted = body[..Math.Min(body.Length, QuotedCharacters)];
            throw new HttpRequestException(
                $"The GPU worker at {http.BaseAddress} answered {(int)response.StatusCode} for '{request.Blob}': {quoted}",
                null, response.StatusCode);
        }
        return await response.Content.ReadFromJsonAsync<PredictionDocument>(PipelineJson.Compact, cancellationToken)
            ?? throw new HttpRequestException($"The GPU worker at {http.BaseAddress} answered null for '{request.Blob}'.");
    }

    /// <summary>Checks the worker's health: <c>ok</c>, or a description of the problem.</summary>
    public async Task<string> HealthAsync(CancellationToken cancellationToken)
    {
        if (http.BaseAddress is null) return NoUrl;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HealthTimeout);
        try
        {
            using var response = await http.GetAsync("healthz", limit.Token);
            return response.IsSuccessStatusCode ? "ok" : $"answers {(int)response.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "does not answer";
        }
        catch (HttpRequestException e)
        {
            return $"unreachable: {e.Message}";
        }
    }
}

/// <summary>
/// Writes prediction documents so that the one for an image's latest version remains, whatever the order in which answers arrive.
/// </summary>
public sealed class PredictionWriter(BlobServiceClient blobs)
{
    /// <summary>
    /// Writes a prediction. False when the image was changed or deleted in the meantime, so that the prediction is outdated.
    /// </summary>
    public async Task<bool> WriteAsync(BlobClient image, PredictionDocument prediction, CancellationToken cancellationToken)
    {
        var target = blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient(BlobNames.Prediction(prediction.Image));
        while (true)
        {
            // Order matters: the document's ETag is read before the image's, so a prediction for a later version that is written in between
            // fails the condition below.
            var existing = await VersionAsync(target, cancellationToken);
            if ((await VersionAsync(image, cancellationToken))?.ToString() != prediction.ETag) return false;
            var unchanged = existing is { } version ? new BlobRequestConditions { IfMatch = version } : JsonBlobs.New;
            // Each repetition follows a write of another call for this image, so that the loop ends with those calls.
            if (!await target.WriteJsonAsync(prediction, unchanged, cancellationToken)) continue;
            PipelineMetrics.CountPrediction(prediction);
            return true;
        }
    }

    /// <summary>Reads a blob's ETag; null when the blob does not exist.</summary>
    internal static async Task<ETag?> VersionAsync(BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ETag;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }
}

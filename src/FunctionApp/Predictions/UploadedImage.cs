using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
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
        if (await VersionAsync(blob, cancellationToken) is not { } version)
        {
            Logs.ImageGone(logger, name);
            return;
        }
        var prediction = await worker.PredictAsync(new PredictRequest(name, version), cancellationToken);
        if (prediction is null && await VersionAsync(blob, cancellationToken) == version)
            throw new InvalidOperationException(
                $"The GPU worker says that '{name}' was changed or deleted, but it was not: is Worker:Url the worker's address, and its storage this one?");
        if (prediction is null || !await predictions.WriteAsync(blob, prediction, cancellationToken))
        {
            Logs.ImageGone(logger, name);
            return;
        }
        if (prediction.Status == PredictionStatus.Rejected) Logs.ImageRejected(logger, name, prediction.Reason, prediction.Detail);
        else Logs.ImagePredicted(logger, name, prediction.Answer, prediction.Model, prediction.Seconds);
    }

    private static async Task<string?> VersionAsync(BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ETag.ToString();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }
}

using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Predictions;

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
            if (!await target.WriteJsonAsync(prediction, unchanged, cancellationToken)) continue;
            PipelineMetrics.CountPrediction(prediction);
            return true;
        }
    }

    private static async Task<ETag?> VersionAsync(BlobClient blob, CancellationToken cancellationToken)
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

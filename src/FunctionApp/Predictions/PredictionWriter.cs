using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Writes prediction documents so that the one of an image's latest version remains, in whatever order answers arrive.</summary>
public sealed class PredictionWriter(BlobServiceClient blobs)
{
    /// <summary>Writes the answer. False when the image was changed or deleted since, so that the answer is of no use.</summary>
    public async Task<bool> WriteAsync(BlobClient image, PredictionDocument prediction, CancellationToken cancellation)
    {
        var target = blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient(BlobNames.Prediction(prediction.Image));
        while (true)
        {
            // The document is read before the image: an answer to a later version that is written from here on fails the condition below.
            var existing = await VersionAsync(target, cancellation);
            if ((await VersionAsync(image, cancellation))?.ToString() != prediction.ETag) return false;
            var unchanged = existing is { } version ? new BlobRequestConditions { IfMatch = version } : JsonBlobs.New;
            if (!await target.WriteJsonAsync(prediction, unchanged, cancellation)) continue;
            PipelineMetrics.CountPrediction(prediction);
            return true;
        }
    }

    private static async Task<ETag?> VersionAsync(BlobClient blob, CancellationToken cancellation)
    {
        try
        {
            return (await blob.GetPropertiesAsync(cancellationToken: cancellation)).Value.ETag;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }
}

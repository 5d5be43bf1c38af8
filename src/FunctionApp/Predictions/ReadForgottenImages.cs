using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>
/// Timer trigger that starts the reading of images of the last day that have neither a document nor a reading: their event was lost, or
/// their orchestration was.
/// </summary>
public sealed class ReadForgottenImages(
    BlobServiceClient blobs, PredictionStore predictions, ImageReadings readings, TimeProvider time, ILogger<ReadForgottenImages> logger)
{
    // Shorter than histories are kept: an instance that is missing was never started, rather than purged. Whoever deletes the document of
    // an older image does not get it back.
    private static readonly TimeSpan Oldest = TimeSpan.FromDays(1);

    [Function(nameof(ReadForgottenImages))]
    public async Task RunAsync(
        [TimerTrigger("0 */15 * * * *")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        var started = 0;
        await foreach (var (image, version) in ImagesWithoutDocumentAsync(time.GetUtcNow() - Oldest, cancellationToken))
            if (await readings.StartForgottenAsync(client, image, version, cancellationToken)) started++;
        if (started > 0) Logs.ForgottenImagesFound(logger, started);
    }

    /// <summary>Lists images whose current version has no document: walks both containers side by side in the order of names.</summary>
    /// <param name="oldest">Time of upload of the oldest image to list.</param>
    private async IAsyncEnumerable<(string Image, UploadedVersion Version)> ImagesWithoutDocumentAsync(
        DateTimeOffset oldest, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var documents = predictions.ListAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        var more = await documents.MoveNextAsync();
        var images = blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobsAsync(new GetBlobsOptions(), cancellationToken);
        await foreach (var image in images)
        {
            if (image.Properties.LastModified is not { } uploaded || uploaded < oldest) continue;
            var name = BlobNames.Prediction(image.Name);
            while (more && string.CompareOrdinal(documents.Current.Name, name) < 0) more = await documents.MoveNextAsync();
            var etag = $"\"{image.Properties.ETag}\"";
            if (more && documents.Current.Name == name && PredictionFilter.ETag(documents.Current) == etag) continue;
            // The suffix .json puts a few documents in another order than their images; those are looked up one by one.
            if ((await predictions.ReadAsync(image.Name, cancellationToken))?.ETag != etag)
                yield return (image.Name, new UploadedVersion(etag, uploaded));
        }
    }
}

using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Shared;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>
/// Blob trigger that starts the reading of each uploaded image. It waits for nothing but storage: the real trigger makes its five tries
/// within a second, while a GPU worker that scales from zero takes minutes.
/// </summary>
public sealed class UploadedImage(ImageReadings readings, ILogger<UploadedImage> logger)
{
    [Function(nameof(UploadedImage))]
    public async Task RunAsync(
        [BlobTrigger(Containers.ProductImages + "/{name}", Source = BlobTriggerSource.EventGrid, Connection = PipelineStorage.Connection)]
        BlobClient blob,
        string name,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        // The version that is there now may be newer than the one of the event. The event of the newer one then finds its reading started.
        if (await UploadedVersion.ReadAsync(blob, cancellationToken) is { } version)
            await readings.StartAsync(client, name, version, cancellationToken);
        else Logs.ImageGone(logger, name);
    }
}

using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Images and prediction documents of an account; a document is downloaded again only when it has changed.</summary>
internal sealed class StoredDocuments(BlobServiceClient blobs)
{
    private readonly BlobContainerClient _images = blobs.GetBlobContainerClient(Containers.ProductImages);
    private readonly BlobContainerClient _predictions = blobs.GetBlobContainerClient(Containers.Predictions);

    /// <summary>ETags of the images, by name.</summary>
    public Dictionary<string, ETag> Images { get; private set; } = [];

    /// <summary>Documents by the name of their image, with the ETag and the time of the last write.</summary>
    public Dictionary<string, (PredictionDocument Document, ETag Version, DateTimeOffset Written)> Documents { get; private set; } = [];

    /// <summary>Reads what is there now.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var images = new Dictionary<string, ETag>();
        await foreach (var blob in _images.GetBlobsAsync(cancellationToken: cancellationToken))
            images[blob.Name] = blob.Properties.ETag!.Value;
        var documents = new Dictionary<string, (PredictionDocument, ETag, DateTimeOffset)>();
        await foreach (var blob in _predictions.GetBlobsAsync(cancellationToken: cancellationToken))
        {
            var image = blob.Name[..^".json".Length];
            var version = blob.Properties.ETag!.Value;
            if (Documents.TryGetValue(image, out var known) && known.Version == version)
            {
                documents[image] = known;
                continue;
            }
            var content = (await _predictions.GetBlobClient(blob.Name).DownloadContentAsync(cancellationToken)).Value;
            documents[image] = (
                content.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options)!, content.Details.ETag,
                content.Details.LastModified);
        }
        (Images, Documents) = (images, documents);
    }
}

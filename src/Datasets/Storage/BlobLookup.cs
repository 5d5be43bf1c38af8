using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>Looks up blobs that may not exist.</summary>
public static class BlobLookup
{
    /// <summary>Reads the properties of a blob; null when the blob or its container does not exist.</summary>
    public static async Task<BlobProperties?> FindPropertiesAsync(this BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.GetPropertiesAsync(cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Lists the names of the blobs with a prefix, without folders and extensions.</summary>
    public static async Task<IReadOnlySet<string>> FileNamesAsync(
        this BlobContainerClient container, string prefix, CancellationToken cancellationToken) =>
        await container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken)
            .Select(blob => Path.GetFileNameWithoutExtension(blob.Name)).ToHashSetAsync(cancellationToken: cancellationToken);
}

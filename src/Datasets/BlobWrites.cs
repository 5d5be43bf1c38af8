using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace FunctionsPipeline.Datasets;

/// <summary>Create-only writes: blob names derive from content or position, so that an existing blob needs no second write.</summary>
internal static class BlobWrites
{
    /// <summary>Creates a blob unless it exists; true when this call created it.</summary>
    public static async Task<bool> CreateAsync(this BlobClient blob, Stream content, string mediaType, CancellationToken cancellationToken,
        IDictionary<string, string>? metadata = null)
    {
        try
        {
            await blob.UploadAsync(content, new BlobUploadOptions
            {
                Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All },
                HttpHeaders = new BlobHttpHeaders { ContentType = mediaType },
                Metadata = metadata,
            }, cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412)
        {
            return false;
        }
    }
}

using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Reads uploaded images from blob storage.</summary>
internal sealed class UploadReader(BlobServiceClient blobs)
{
    /// <summary>Downloads exactly the requested version of an image.</summary>
    /// <exception cref="RequestFailedException">404: the blob does not exist. 412: it has another version.</exception>
    /// <exception cref="UnreadableImageException">The blob exceeds the size limit of images.</exception>
    public async Task<byte[]> ReadAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(request.Blob);
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = new ETag(request.ETag) } };
        using var download = await OpenAsync(blob, options, cancellationToken);
        var length = download.Details.ContentLength;
        if (length > ImageLimits.Default.MaxBytes)
            throw new UnreadableImageException(
                Rejection.TooLarge, $"{length:N0} bytes; at most {ImageLimits.Default.MaxBytes:N0} are read");
        var bytes = new byte[length];
        await download.Content.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    private static async Task<BlobDownloadStreamingResult> OpenAsync(
        BlobClient blob, BlobDownloadOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.DownloadStreamingAsync(options, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 412)
        {
            // Some services check the condition first and answer 412 even when the blob does not exist.
            if (!await blob.ExistsAsync(cancellationToken)) throw new RequestFailedException(404, "There is no such image (any more).", e);
            throw;
        }
    }
}

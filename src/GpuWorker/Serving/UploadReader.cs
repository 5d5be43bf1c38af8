using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http.Features;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Reads images from blob storage or from the body of a request.</summary>
internal sealed class UploadReader(BlobServiceClient blobs)
{
    private const int BufferBytes = 1 << 16;

    /// <summary>Downloads exactly the requested version of an image.</summary>
    /// <exception cref="RequestFailedException">404: the blob does not exist. 412: it has another version.</exception>
    /// <exception cref="UnreadableImageException">The blob exceeds the size limit of images.</exception>
    public async Task<byte[]> ReadAsync(PredictRequest request, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(request.Blob);
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = new ETag(request.ETag) } };
        using var download = await OpenAsync(blob, options, cancellationToken);
        var length = download.Details.ContentLength;
        if (length > ImageLimits.Default.MaxBytes) throw TooLarge($"{length:N0} bytes");
        var bytes = new byte[length];
        await download.Content.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    /// <summary>Reads the body of a request.</summary>
    /// <exception cref="UnreadableImageException">The body exceeds the size limit of images.</exception>
    public static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        // The server closes the connection beyond its own limit, so that the client would not see the answer.
        request.HttpContext.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        var limit = ImageLimits.Default.MaxBytes;
        if (request.ContentLength is { } length && length > limit) throw TooLarge($"{length:N0} bytes");
        using var body = new MemoryStream();
        var buffer = new byte[BufferBytes];
        int read;
        while ((read = await request.Body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            body.Write(buffer, 0, read);
            if (body.Length > limit) throw TooLarge("more bytes");
        }
        return body.ToArray();
    }

    private static UnreadableImageException TooLarge(string size) =>
        new(Rejection.TooLarge, $"{size}; at most {ImageLimits.Default.MaxBytes:N0} are read");

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

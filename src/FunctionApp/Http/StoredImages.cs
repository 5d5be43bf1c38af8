using System.Globalization;
using System.Net.Mime;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>
/// Responds with stored images, or with thumbnails of them. A page asks for a hundred thumbnails at once, and the bytes are strangers':
/// a few images at a time are in memory, and no response is one that a browser would run.
/// </summary>
public sealed class StoredImages : IDisposable
{
    private const int Narrowest = 16;
    private const int Widest = 1024;
    private const string Kept = "private, max-age=31536000, immutable";

    // Where the header of an image is looked for.
    private const int HeaderBytes = 1024 * 1024;

    private readonly SemaphoreSlim _images = new(8);

    // Large images take hundreds of megabytes while they are decoded.
    private readonly SemaphoreSlim _decoders = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Responds to a request for an image; null when there is none.</summary>
    /// <param name="isImmutable">True for a blob that is named by its content.</param>
    public async Task<IActionResult?> RespondAsync(
        HttpRequest request, BlobClient blob, bool isImmutable, CancellationToken cancellationToken)
    {
        int? side = null;
        if (request.Query["width"].LastOrDefault() is { Length: > 0 } text)
        {
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var width) || width is < Narrowest or > Widest)
                return Responses.Problem(400, $"width is '{text}', must be from {Narrowest} to {Widest}.", "width");
            side = width;
        }
        try
        {
            var properties = (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value;
            var etag = side is null ? properties.ETag.ToString("H") : $"\"{properties.ETag.ToString().Trim('"')}-{side}\"";
            if (Conditions.NotModified(request, etag, isImmutable ? Kept : Conditions.AskedAgain) is { } known) return known;
            var headers = request.HttpContext.Response.Headers;
            headers.XContentTypeOptions = "nosniff";
            headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
            var unchanged = new BlobRequestConditions { IfMatch = properties.ETag };
            if (side is null) return await StoredAsync(blob, unchanged, cancellationToken);
            return properties.ContentLength <= ImageLimits.Default.MaxBytes
                ? new FileContentResult(await ThumbnailAsync(blob, unchanged, side.Value, cancellationToken), MediaTypeNames.Image.Jpeg)
                : throw new UnreadableImageException(Rejection.TooLarge, $"{properties.ContentLength:N0} bytes");
        }
        catch (UnreadableImageException e)
        {
            var status = e.Reason == Rejection.NotAnImage
                ? StatusCodes.Status415UnsupportedMediaType
                : StatusCodes.Status422UnprocessableEntity;
            return Responses.Problem(status, e.Message);
        }
        // Replaced or deleted since its properties were read.
        catch (RequestFailedException e) when (e.Status is StatusCodes.Status404NotFound or StatusCodes.Status412PreconditionFailed)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _images.Dispose();
        _decoders.Dispose();
    }

    /// <summary>Responds with the bytes as they are, under the media type that the decoder finds.</summary>
    private static async Task<IActionResult> StoredAsync(
        BlobClient blob, BlobRequestConditions unchanged, CancellationToken cancellationToken)
    {
        var options = new BlobOpenReadOptions(allowModifications: false) { Conditions = unchanged, BufferSize = HeaderBytes };
        var content = await blob.OpenReadAsync(options, cancellationToken);
        var header = new byte[Math.Min(HeaderBytes, content.Length)];
        await content.ReadExactlyAsync(header, cancellationToken);
        content.Position = 0;
        try
        {
            return new FileStreamResult(content, ImageReader.Identify(header).MediaType);
        }
        catch (UnreadableImageException)
        {
            return new FileStreamResult(content, MediaTypeNames.Application.Octet) { FileDownloadName = Path.GetFileName(blob.Name) };
        }
    }

    private async Task<byte[]> ThumbnailAsync(
        BlobClient blob, BlobRequestConditions unchanged, int side, CancellationToken cancellationToken)
    {
        await _images.WaitAsync(cancellationToken);
        try
        {
            var options = new BlobDownloadOptions { Conditions = unchanged };
            var bytes = (await blob.DownloadContentAsync(options, cancellationToken)).Value.Content.ToMemory();
            await _decoders.WaitAsync(cancellationToken);
            try
            {
                return await Task.Run(() => Thumbnail.Of(bytes, side).Content, cancellationToken);
            }
            finally
            {
                _decoders.Release();
            }
        }
        finally
        {
            _images.Release();
        }
    }
}

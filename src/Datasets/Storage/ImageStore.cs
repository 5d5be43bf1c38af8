using System.Security.Cryptography;
using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>An image in blob storage.</summary>
/// <param name="Sha256">SHA-256 of the bytes, lower-case hexadecimal; also the image's name.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
internal sealed record StoredImage(string Sha256, long Bytes, int Width, int Height);

/// <summary>
/// Stores the images of a dataset, shared by all its commits: each image once, under the SHA-256 of its bytes, with a record of the URL
/// that it was fetched from.
/// </summary>
/// <param name="decoding">Limits concurrent decoding over all units: decoding occupies a core and a decoded image is large.</param>
internal sealed class ImageStore(BlobContainerClient container, DatasetBlobs dataset, ImageLimits limits, SemaphoreSlim decoding)
{
    /// <summary>Finds the image fetched from a URL; null when the URL has not been fetched yet.</summary>
    public async Task<StoredImage?> FindAsync(string url, CancellationToken cancellationToken) =>
        (await Record(url).ReadJsonAsync<FetchedUrl>(cancellationToken))?.Image;

    /// <summary>Records the image fetched from a URL.</summary>
    public Task RememberAsync(string url, StoredImage image, CancellationToken cancellationToken) =>
        Record(url).CreateJsonAsync(new FetchedUrl(url, image), PipelineJson.Compact, cancellationToken);

    /// <summary>Stores an image unless it exists.</summary>
    /// <exception cref="UnreadableImageException">The bytes are not a usable image.</exception>
    public async Task<StoredImage> AddAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var sha = Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
        var blob = container.GetBlobClient(dataset.Image(sha));
        ImageHeader header;
        if (await blob.ExistsAsync(cancellationToken)) header = ImageReader.Identify(bytes, limits);
        else
        {
            header = await VerifyAsync(bytes, cancellationToken);
            await blob.CreateAsync(BinaryData.FromBytes(bytes).ToStream(), header.MediaType, cancellationToken);
            PipelineMetrics.CountImage(bytes.Length);
        }
        return new StoredImage(sha, bytes.Length, header.Width, header.Height);
    }

    // An image with a valid header may still have damaged data, which only decoding detects.
    private async Task<ImageHeader> VerifyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await decoding.WaitAsync(cancellationToken);
        try
        {
            return ImageReader.Verify(bytes, limits);
        }
        finally
        {
            decoding.Release();
        }
    }

    private BlobClient Record(string url) =>
        container.GetBlobClient(dataset.FetchedUrl(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url)))));

    private sealed record FetchedUrl(string Url, StoredImage Image);
}

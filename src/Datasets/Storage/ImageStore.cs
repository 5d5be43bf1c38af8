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
/// <param name="PerceptualHash">As in <see cref="ManifestRow.PerceptualHash"/>; null in records of a version that computed none.</param>
internal sealed record StoredImage(string Sha256, long Bytes, int Width, int Height, string? PerceptualHash = null);

/// <summary>
/// Stores the images of a dataset, shared by all its commits: each image once, under the SHA-256 of its bytes, with a record of the URL
/// that it was fetched from.
/// </summary>
/// <param name="decoding">Limits concurrent decoding over all units: decoding occupies a core and a decoded image is large.</param>
internal sealed class ImageStore(BlobContainerClient container, DatasetBlobs dataset, ImageLimits limits, SemaphoreSlim decoding)
{
    // Metadata of an image's blob.
    private const string Hash = "perceptualhash";

    /// <summary>Finds the image fetched from a URL; null when the URL has not been fetched yet.</summary>
    public async Task<StoredImage?> FindAsync(string url, CancellationToken cancellationToken)
    {
        var image = (await Record(url).ReadJsonAsync<FetchedUrl>(cancellationToken))?.Image;
        if (image is null || image.PerceptualHash is not null) return image;
        // The URL was fetched by a version that computed no hashes.
        var blob = container.GetBlobClient(dataset.Image(image.Sha256));
        var hash = await HashAsync(blob, cancellationToken);
        if (hash is null)
        {
            var content = await blob.DownloadContentAsync(cancellationToken);
            (_, hash) = await VerifyAsync(content.Value.Content.ToMemory(), cancellationToken);
        }
        return image with { PerceptualHash = hash };
    }

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
        if (await HashAsync(blob, cancellationToken) is { } hash) header = ImageReader.Identify(bytes, limits);
        else
        {
            (header, hash) = await VerifyAsync(bytes, cancellationToken);
            var created = await blob.CreateAsync(BinaryData.FromBytes(bytes).ToStream(), header.MediaType, cancellationToken,
                new Dictionary<string, string> { [Hash] = hash });
            if (created) PipelineMetrics.CountImage(bytes.Length);
        }
        return new StoredImage(sha, bytes.Length, header.Width, header.Height, hash);
    }

    // Null for a blob that does not exist, or was stored by a version that computed no hashes.
    private static async Task<string?> HashAsync(BlobClient blob, CancellationToken cancellationToken) =>
        (await blob.FindPropertiesAsync(cancellationToken))?.Metadata is { } metadata && metadata.TryGetValue(Hash, out var hash)
            ? hash
            : null;

    // An image with a valid header may still have damaged data, which only decoding detects.
    private async Task<(ImageHeader Header, string Hash)> VerifyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await decoding.WaitAsync(cancellationToken);
        try
        {
            var header = ImageReader.Verify(bytes, limits, out var hash);
            return (header, hash.ToString());
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

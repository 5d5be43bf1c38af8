using System.Security.Cryptography;
using System.Text;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>An image in blob storage.</summary>
/// <param name="Sha256">Of its bytes, lower-case hexadecimal; its name.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
internal sealed record StoredImage(string Sha256, long Bytes, int Width, int Height);

/// <summary>
/// The images of a dataset, over all its commits: each is stored once, under the hash of its bytes, and it is remembered which address led
/// to which image.
/// </summary>
/// <param name="decoding">Lets only so many images be decoded at once, over all units: a decoded image is large, and a core busy with it.</param>
internal sealed class ImageStore(BlobContainerClient container, DatasetBlobs dataset, ImageLimits limits, SemaphoreSlim decoding)
{
    /// <summary>The image that an address led to; null when it has not been fetched yet.</summary>
    public async Task<StoredImage?> FindAsync(string url, CancellationToken cancellation) =>
        (await Address(url).ReadJsonAsync<FetchedAddress>(cancellation))?.Image;

    /// <summary>Remembers which image an address led to.</summary>
    public Task RememberAsync(string url, StoredImage image, CancellationToken cancellation) =>
        Address(url).CreateJsonAsync(new FetchedAddress(url, image), PipelineJson.Compact, cancellation);

    /// <summary>Stores an image, unless it is there.</summary>
    /// <exception cref="UnreadableImageException">The bytes are no image that can be used.</exception>
    public async Task<StoredImage> AddAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        var sha = Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
        var blob = container.GetBlobClient(dataset.Image(sha));
        ImageHeader header;
        if (await blob.ExistsAsync(cancellation)) header = ImageReader.Identify(bytes, limits);
        else
        {
            header = await VerifyAsync(bytes, cancellation);
            await blob.CreateAsync(BinaryData.FromBytes(bytes).ToStream(), header.MediaType, cancellation);
            PipelineMetrics.CountImage(bytes.Length);
        }
        return new StoredImage(sha, bytes.Length, header.Width, header.Height);
    }

    // A picture that looks whole may still be damaged inside, which only decoding shows.
    private async Task<ImageHeader> VerifyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await decoding.WaitAsync(cancellation);
        try
        {
            return ImageReader.Verify(bytes, limits);
        }
        finally
        {
            decoding.Release();
        }
    }

    private BlobClient Address(string url) =>
        container.GetBlobClient(dataset.Address(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url)))));

    private sealed record FetchedAddress(string Url, StoredImage Image);
}

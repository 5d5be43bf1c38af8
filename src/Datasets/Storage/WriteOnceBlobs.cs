using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Creates and reads blobs that are written once: their names derive from content or position, so that an existing blob needs no second
/// write.
/// </summary>
internal static class WriteOnceBlobs
{
    // Buffer of an open blob, which the array pool keeps for each thread that has ever closed one: larger ones would add up.
    private const int ReadAhead = 512 * 1024;

    /// <summary>Opens a blob of which ranges are read.</summary>
    public static Task<Stream> OpenRangesAsync(this BlobClient blob, CancellationToken cancellationToken) =>
        blob.OpenReadAsync(new BlobOpenReadOptions(allowModifications: false) { BufferSize = ReadAhead }, cancellationToken);

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

    /// <summary>Reads a JSON document; null when it does not exist.</summary>
    public static async Task<T?> ReadJsonAsync<T>(this BlobClient blob, CancellationToken cancellationToken)
        where T : class =>
        await blob.FindContentAsync(cancellationToken) is { } content
            ? JsonSerializer.Deserialize<T>(content, PipelineJson.Options)
            : null;

    /// <summary>Reads a JSON document that an earlier step has written.</summary>
    /// <exception cref="InvalidOperationException">It does not exist.</exception>
    public static async Task<T> RequireJsonAsync<T>(this BlobClient blob, CancellationToken cancellationToken)
        where T : class =>
        await blob.ReadJsonAsync<T>(cancellationToken)
        ?? throw new InvalidOperationException($"{blob.BlobContainerName}/{blob.Name} is gone; ingest the dataset again");

    /// <summary>Reads the content of a blob; null when it does not exist.</summary>
    public static async Task<BinaryData?> FindContentAsync(this BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return (await blob.DownloadContentAsync(cancellationToken)).Value.Content;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Creates a JSON document unless it exists.</summary>
    /// <param name="json"><see cref="PipelineJson.Options"/> for documents that people read, <see cref="PipelineJson.Compact"/> for the
    /// rest.</param>
    public static async Task CreateJsonAsync<T>(this BlobClient blob, T document, JsonSerializerOptions json,
        CancellationToken cancellationToken)
    {
        using var content = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(document, json));
        await blob.CreateAsync(content, "application/json", cancellationToken);
    }
}

using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>Reads and writes JSON documents as blobs.</summary>
internal static class JsonBlobs
{
    /// <summary>Condition that the blob does not exist yet (<c>If-None-Match: *</c>).</summary>
    public static BlobRequestConditions New { get; } = new() { IfNoneMatch = ETag.All };

    /// <summary>Reads a document together with its ETag; null when the blob does not exist.</summary>
    public static async Task<(T Document, ETag ETag)?> ReadJsonAsync<T>(this BlobClient blob, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            var content = (await blob.DownloadContentAsync(cancellationToken)).Value;
            var document = content.Content.ToObjectFromJson<T>(PipelineJson.Options)
                ?? throw new JsonException($"{blob.BlobContainerName}/{blob.Name} holds null.");
            return (document, content.Details.ETag);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    /// <summary>Writes a document. False when the condition does not hold.</summary>
    public static async Task<bool> WriteJsonAsync<T>(
        this BlobClient blob, T document, BlobRequestConditions? conditions, CancellationToken cancellationToken,
        IDictionary<string, string>? metadata = null)
    {
        var options = new BlobUploadOptions
        {
            Conditions = conditions,
            Metadata = metadata,
            HttpHeaders = new BlobHttpHeaders { ContentType = "application/json" },
        };
        try
        {
            await blob.UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Options), options, cancellationToken);
            return true;
        }
        // If-None-Match: * on an existing blob answers 409 BlobAlreadyExists, If-Match with an outdated ETag 412 ConditionNotMet.
        catch (RequestFailedException e) when (e.Status is 409 or 412
            && (e.ErrorCode == BlobErrorCode.BlobAlreadyExists || e.ErrorCode == BlobErrorCode.ConditionNotMet))
        {
            return false;
        }
    }
}

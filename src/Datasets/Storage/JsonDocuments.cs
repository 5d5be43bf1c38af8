using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Reads and creates JSON documents in blob storage that are written once.</summary>
internal static class JsonDocuments
{
    /// <summary>Reads a document; null when it does not exist.</summary>
    public static async Task<T?> ReadJsonAsync<T>(this BlobClient blob, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            var content = await blob.DownloadContentAsync(cancellationToken);
            return JsonSerializer.Deserialize<T>(content.Value.Content, PipelineJson.Options);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Creates a document unless it exists.</summary>
    /// <param name="json"><see cref="PipelineJson.Options"/> for documents that people read, <see cref="PipelineJson.Compact"/> for the
    /// rest.</param>
    public static async Task CreateJsonAsync<T>(this BlobClient blob, T document, JsonSerializerOptions json, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(document, json));
        await blob.CreateAsync(content, "application/json", cancellationToken);
    }
}

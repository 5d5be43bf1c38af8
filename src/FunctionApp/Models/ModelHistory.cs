using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Audit trail of the serving model: <c>models/history.jsonl</c>, to which lines are only added.</summary>
public sealed class ModelHistory(BlobServiceClient blobs)
{
    private AppendBlobClient Blob => blobs.GetBlobContainerClient(Containers.Models).GetAppendBlobClient(BlobNames.ModelHistory);

    /// <summary>Reads all changes, the oldest first.</summary>
    public async Task<IReadOnlyList<ModelChange>> ReadAsync(CancellationToken cancellationToken) =>
        (await ReadWithLengthAsync(cancellationToken)).Changes;

    /// <summary>Adds a change unless it is there.</summary>
    public async Task AddAsync(ModelChange change, CancellationToken cancellationToken)
    {
        await Blob.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        while (true)
        {
            var (changes, length) = await ReadWithLengthAsync(cancellationToken);
            if (changes.Contains(change)) return;
            // Repeats only when another change was added in between.
            var unchanged = new AppendBlobAppendBlockOptions
            {
                Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = length },
            };
            using var line = new MemoryStream([.. JsonSerializer.SerializeToUtf8Bytes(change, PipelineJson.Compact), (byte)'\n']);
            try
            {
                await Blob.AppendBlockAsync(line, unchanged, cancellationToken);
                return;
            }
            catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.AppendPositionConditionNotMet)
            {
                continue;
            }
        }
    }

    private async Task<(IReadOnlyList<ModelChange> Changes, long Length)> ReadWithLengthAsync(CancellationToken cancellationToken)
    {
        try
        {
            var content = (await Blob.DownloadContentAsync(cancellationToken)).Value.Content;
            var lines = content.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var changes = lines.Select(line => JsonSerializer.Deserialize<ModelChange>(line, PipelineJson.Compact)!);
            return ([.. changes], content.ToMemory().Length);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return ([], 0);
        }
    }
}

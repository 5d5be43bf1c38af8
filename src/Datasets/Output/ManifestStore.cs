using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Manifests in blob storage: the fate of every row of a unit, a JSON line each.</summary>
internal sealed class ManifestStore(BlobContainerClient container)
{
    public async Task WriteAsync(string name, IEnumerable<ManifestRow> rows, CancellationToken cancellation)
    {
        using var lines = new MemoryStream();
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(lines, row, PipelineJson.Compact);
            lines.WriteByte((byte)'\n');
        }
        lines.Position = 0;
        await container.GetBlobClient(name).CreateAsync(lines, "application/jsonl", cancellation);
    }

    /// <summary>The counts of a manifest; null when it has not been written.</summary>
    public async Task<RowCounts?> CountAsync(string name, CancellationToken cancellation)
    {
        try
        {
            var counts = new RowCounts();
            await foreach (var row in ReadAsync(name, cancellation)) counts += Count(row);
            return counts;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    public async IAsyncEnumerable<ManifestRow> ReadAsync(string name, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var content = await container.GetBlobClient(name).DownloadContentAsync(cancellation);
        using var lines = new StreamReader(content.Value.Content.ToStream());
        while (await lines.ReadLineAsync(cancellation) is { } line)
            yield return JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!;
    }

    public static RowCounts Count(ManifestRow row) => new()
    {
        Rows = 1,
        Stored = row.State == RowState.Stored ? 1 : 0,
        Duplicates = row.State == RowState.Duplicate ? 1 : 0,
        Rejected = row.State == RowState.Rejected ? 1 : 0,
        RejectedBy = row.Reason is null ? new Dictionary<string, long>() : new Dictionary<string, long> { [row.Reason] = 1 },
        Bytes = row.State == RowState.Stored ? row.Bytes : 0,
    };
}

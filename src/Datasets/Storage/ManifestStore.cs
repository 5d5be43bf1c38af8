using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Manifests in blob storage: what was found in every row of a unit, a JSON line each. The counts of the rows are the blob's metadata, so
/// that listing the manifests is enough to know how far a dataset is.
/// </summary>
internal sealed class ManifestStore(BlobContainerClient container)
{
    private const string Counts = "counts";

    /// <summary>Writes a unit's manifest, unless there is one.</summary>
    public async Task WriteAsync(string name, IReadOnlyList<ManifestRow> rows, CancellationToken cancellation)
    {
        using var lines = new MemoryStream();
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(lines, row, PipelineJson.Compact);
            lines.WriteByte((byte)'\n');
        }
        lines.Position = 0;
        var counts = rows.Aggregate(new RowCounts(), (sum, row) => sum + Count(row));
        await container.GetBlobClient(name).CreateAsync(lines, "application/jsonl", cancellation, Metadata(counts));
    }

    /// <summary>The counts of a manifest; null when it has not been written.</summary>
    public async Task<RowCounts?> CountAsync(string name, CancellationToken cancellation)
    {
        try
        {
            return Read((await container.GetBlobClient(name).GetPropertiesAsync(cancellationToken: cancellation)).Value.Metadata);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <summary>How many manifests a dataset has, and the counts of all and of the units in work.</summary>
    public async Task<IngestProgress> ProgressAsync(DatasetBlobs dataset, CancellationToken cancellation)
    {
        var counts = new RowCounts();
        var done = new HashSet<string>();
        // Those in work first: of a unit that is finished meanwhile, the manifest counts.
        var inWork = await CountsAsync(dataset.UnitsInWork, cancellation).ToListAsync(cancellation);
        await foreach (var (unit, ofUnit) in CountsAsync(dataset.Manifests, cancellation))
        {
            done.Add(unit);
            counts += ofUnit;
        }
        return new IngestProgress(done.Count, inWork.Where(unit => !done.Contains(unit.Name)).Aggregate(counts, (sum, unit) => sum + unit.Counts));
    }

    /// <summary>Tells how far a unit is.</summary>
    public Task NoteAsync(DatasetBlobs dataset, IngestUnit unit, RowCounts counts, CancellationToken cancellation) =>
        container.GetBlobClient(dataset.UnitInWork(unit.Split, unit.Number)).UploadAsync(
            Stream.Null, new BlobUploadOptions { Metadata = Metadata(counts) }, cancellation);

    /// <summary>Takes back what <see cref="NoteAsync"/> told.</summary>
    public Task ForgetAsync(DatasetBlobs dataset, IngestUnit unit, CancellationToken cancellation) =>
        container.GetBlobClient(dataset.UnitInWork(unit.Split, unit.Number)).DeleteIfExistsAsync(cancellationToken: cancellation);

    public async IAsyncEnumerable<ManifestRow> ReadAsync(string name, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var content = await container.GetBlobClient(name).DownloadContentAsync(cancellation);
        using var lines = new StreamReader(content.Value.Content.ToStream());
        while (await lines.ReadLineAsync(cancellation) is { } line)
            yield return JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!;
    }

    /// <summary>A row as counts.</summary>
    public static RowCounts Count(ManifestRow row) => new()
    {
        Rows = 1,
        Stored = row.State == RowState.Stored ? 1 : 0,
        Duplicates = row.State == RowState.Duplicate ? 1 : 0,
        Rejected = row.State == RowState.Rejected ? 1 : 0,
        RejectedBy = row.Reason is null ? new Dictionary<string, long>() : new Dictionary<string, long> { [row.Reason] = 1 },
        Bytes = row.State == RowState.Stored ? row.Bytes : 0,
    };

    private async IAsyncEnumerable<(string Name, RowCounts Counts)> CountsAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var options = new GetBlobsOptions { Prefix = prefix, Traits = BlobTraits.Metadata };
        await foreach (var blob in container.GetBlobsAsync(options, cancellation))
            yield return (Path.GetFileNameWithoutExtension(blob.Name), Read(blob.Metadata));
    }

    private static Dictionary<string, string> Metadata(RowCounts counts) =>
        new() { [Counts] = JsonSerializer.Serialize(counts, PipelineJson.Compact) };

    private static RowCounts Read(IDictionary<string, string> metadata) =>
        JsonSerializer.Deserialize<RowCounts>(metadata[Counts], PipelineJson.Compact)!;
}

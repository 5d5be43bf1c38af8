using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Manifests in blob storage: the status of each row of a unit, one JSON line per row. Row counts are in the blob's metadata, so that
/// listing the manifests suffices to compute a dataset's progress.
/// </summary>
internal sealed class ManifestStore(BlobContainerClient container)
{
    private const string Counts = "counts";
    private const string Retried = "retried";

    /// <summary>Writes a unit's manifest unless it exists.</summary>
    /// <param name="retried">Counts of the unit's retry; null for a first ingestion.</param>
    public async Task WriteAsync(string name, IReadOnlyList<ManifestRow> rows, CancellationToken cancellationToken,
        HealedRows? retried = null)
    {
        using var lines = new MemoryStream();
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(lines, row, PipelineJson.Compact);
            lines.WriteByte((byte)'\n');
        }
        lines.Position = 0;
        var counts = rows.Aggregate(new RowCounts(), (sum, row) => sum + Count(row));
        var metadata = Metadata(counts);
        if (retried is not null) metadata[Retried] = JsonSerializer.Serialize(retried, PipelineJson.Compact);
        await container.GetBlobClient(name).CreateAsync(lines, "application/jsonl", cancellationToken, metadata);
    }

    /// <summary>Sums up the retry of all units of a dataset, which must have manifests.</summary>
    public async Task<HealedRows> RetriedAsync(DatasetBlobs dataset, CancellationToken cancellationToken)
    {
        var options = new GetBlobsOptions { Prefix = dataset.Manifests, Traits = BlobTraits.Metadata };
        return await container.GetBlobsAsync(options, cancellationToken)
            .Select(blob => JsonSerializer.Deserialize<HealedRows>(blob.Metadata[Retried], PipelineJson.Compact)!)
            .AggregateAsync(new HealedRows(0, new Dictionary<string, long>()), (sum, unit) => sum + unit, cancellationToken);
    }

    /// <summary>Reads the row counts of a manifest; null when it does not exist.</summary>
    public async Task<RowCounts?> CountAsync(string name, CancellationToken cancellationToken) =>
        await container.GetBlobClient(name).FindPropertiesAsync(cancellationToken) is { } manifest ? Read(manifest.Metadata) : null;

    /// <summary>Reads the number of manifests of a dataset, and the row counts of completed units and of units in progress.</summary>
    public async Task<IngestProgress> ProgressAsync(DatasetBlobs dataset, CancellationToken cancellationToken)
    {
        var counts = new RowCounts();
        var done = 0;
        // Lists units in progress first: a unit completed between the two listings is then in both, and its manifest is used; in the other
        // order it might be in neither.
        var inProgress = await CountsAsync(dataset.UnitsInProgress, cancellationToken)
            .ToDictionaryAsync(unit => unit.Name, unit => unit.Counts, cancellationToken: cancellationToken);
        await foreach (var (unit, ofUnit) in UnitsAsync(dataset, cancellationToken))
        {
            done++;
            inProgress.Remove(unit);
            counts += ofUnit;
        }
        return new IngestProgress(done, inProgress.Values.Aggregate(counts, (sum, ofUnit) => sum + ofUnit));
    }

    /// <summary>Lists the completed units with their row counts, in the order of their names, <c>{split}-{number}</c>.</summary>
    public IAsyncEnumerable<(string Name, RowCounts Counts)> UnitsAsync(DatasetBlobs dataset, CancellationToken cancellationToken) =>
        CountsAsync(dataset.Manifests, cancellationToken);

    /// <summary>Returns the client of a completed unit's manifest.</summary>
    /// <param name="unit">Name of the unit.</param>
    public BlobClient Blob(DatasetBlobs dataset, string unit) => container.GetBlobClient($"{dataset.Manifests}{unit}.jsonl");

    /// <summary>Writes the progress of a unit.</summary>
    public Task NoteAsync(DatasetBlobs dataset, IngestUnit unit, RowCounts counts, CancellationToken cancellationToken) =>
        container.GetBlobClient(dataset.UnitInProgress(unit.Split, unit.Number)).UploadAsync(
            Stream.Null, new BlobUploadOptions { Metadata = Metadata(counts) }, cancellationToken);

    /// <summary>Deletes the progress written by <see cref="NoteAsync"/>.</summary>
    public Task ForgetAsync(DatasetBlobs dataset, IngestUnit unit, CancellationToken cancellationToken) =>
        container.GetBlobClient(dataset.UnitInProgress(unit.Split, unit.Number)).DeleteIfExistsAsync(cancellationToken: cancellationToken);

    /// <summary>Reads the rows of a manifest, which must exist.</summary>
    public async IAsyncEnumerable<ManifestRow> ReadAsync(string name, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using BlobDownloadStreamingResult manifest =
            await container.GetBlobClient(name).DownloadStreamingAsync(cancellationToken: cancellationToken);
        using var lines = new StreamReader(manifest.Content);
        while (await lines.ReadLineAsync(cancellationToken) is { } line)
            yield return JsonSerializer.Deserialize<ManifestRow>(line, PipelineJson.Compact)!;
    }

    /// <summary>Returns the counts of a single row.</summary>
    public static RowCounts Count(ManifestRow row) => new()
    {
        Rows = 1,
        Stored = row.State == RowState.Stored ? 1 : 0,
        Duplicates = row.State == RowState.Duplicate ? 1 : 0,
        Rejected = row.State == RowState.Rejected ? 1 : 0,
        RejectedBy = row.Reason is null ? new Dictionary<string, long>() : new Dictionary<string, long> { [row.Reason] = 1 },
        Bytes = row.State == RowState.Stored ? row.Images.Sum(image => image.Bytes) : 0,
    };

    private async IAsyncEnumerable<(string Name, RowCounts Counts)> CountsAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var options = new GetBlobsOptions { Prefix = prefix, Traits = BlobTraits.Metadata };
        await foreach (var blob in container.GetBlobsAsync(options, cancellationToken))
            yield return (Path.GetFileNameWithoutExtension(blob.Name), Read(blob.Metadata));
    }

    private static Dictionary<string, string> Metadata(RowCounts counts) =>
        new() { [Counts] = JsonSerializer.Serialize(counts, PipelineJson.Compact) };

    private static RowCounts Read(IDictionary<string, string> metadata) =>
        JsonSerializer.Deserialize<RowCounts>(metadata[Counts], PipelineJson.Compact)!;
}

/// <summary>Progress of a dataset's units.</summary>
/// <param name="Units">Number of completed units.</param>
/// <param name="Counts">Row counts of completed units and of units in progress; duplicates count as stored until the catalog is
/// written.</param>
public sealed record IngestProgress(int Units, RowCounts Counts);

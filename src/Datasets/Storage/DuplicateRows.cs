using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Finds rows with the same image and labels as an earlier row in any unit of the dataset, and stores their indices per unit in blob
/// storage.
/// </summary>
internal sealed class DuplicateRows(BlobContainerClient container, DatasetBlobs dataset)
{
    // 128 bits of a hash per row: a dataset of ten million rows takes 300 MB.
    private readonly HashSet<UInt128> _seen = [];

    /// <summary>Marks the duplicates among the rows of the next unit; units must be passed in order.</summary>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IEnumerable<ManifestRow> rows, CancellationToken cancellationToken)
    {
        ManifestRow[] marked =
            [.. rows.Select(row => row.State == RowState.Stored && !_seen.Add(Key(row)) ? row with { State = RowState.Duplicate } : row)];
        var repeated = marked.Where(row => row.State == RowState.Duplicate).Select(row => row.Row).ToArray();
        if (repeated.Length == 0) return marked;
        await Blob(unit).CreateJsonAsync(repeated, PipelineJson.Compact, cancellationToken);
        return marked;
    }

    /// <summary>Reads the indices of a unit's duplicate rows.</summary>
    public async Task<IReadOnlySet<long>> ReadAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        await Blob(unit).ReadJsonAsync<HashSet<long>>(cancellationToken) ?? [];

    private BlobClient Blob(IngestUnit unit) => container.GetBlobClient(dataset.Duplicates(unit.Split, unit.Number));

    private static UInt128 Key(ManifestRow row) => BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
        new { row.Sha256, row.Split, row.Product, row.Title, row.Category, row.Price }, PipelineJson.Compact)));
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Finds the rows that say the same of the same image as an earlier row of the dataset, in whichever unit, and remembers them unit by unit
/// in blob storage.
/// </summary>
internal sealed class DuplicateRows(BlobContainerClient container, DatasetBlobs dataset)
{
    // 128 bits of a hash for each row: a dataset of ten million rows takes 300 MB.
    private readonly HashSet<UInt128> _seen = [];

    /// <summary>The rows of the next unit, with the state that they have in the whole dataset.</summary>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IEnumerable<ManifestRow> rows, CancellationToken cancellation)
    {
        ManifestRow[] marked =
            [.. rows.Select(row => row.State == RowState.Stored && !_seen.Add(Key(row)) ? row with { State = RowState.Duplicate } : row)];
        var repeated = marked.Where(row => row.State == RowState.Duplicate).Select(row => row.Row).ToArray();
        if (repeated.Length == 0) return marked;
        await Blob(unit).CreateJsonAsync(repeated, PipelineJson.Compact, cancellation);
        return marked;
    }

    /// <summary>The rows of a unit that were found to repeat earlier ones.</summary>
    public async Task<IReadOnlySet<long>> ReadAsync(IngestUnit unit, CancellationToken cancellation) =>
        await Blob(unit).ReadJsonAsync<HashSet<long>>(cancellation) ?? [];

    private BlobClient Blob(IngestUnit unit) => container.GetBlobClient(dataset.Duplicates(unit.Split, unit.Number));

    private static UInt128 Key(ManifestRow row) => BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
        new { row.Sha256, row.Split, row.Product, row.Title, row.Category, row.Price }, PipelineJson.Compact)));
}

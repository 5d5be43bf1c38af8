using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Finds rows with the same image and labels as an earlier row in any unit of the dataset, and stores their indices per unit in blob
/// storage. The memory needed does not grow with the dataset: each part of the catalog writes the keys of its rows, divided into
/// partitions; each partition finds the repeated keys of all parts, as equal keys are in the same one.
/// </summary>
internal sealed class DuplicateRows(BlobContainerClient container, DatasetBlobs dataset)
{
    private const int EntryBytes = PartitionedKeys.KeyBytes + sizeof(int) + sizeof(long);

    /// <summary>Adds an entry for a stored row.</summary>
    public static void Add(PartitionedKeys keys, IngestUnit unit, ManifestRow row)
    {
        var entry = keys.Begin(PartitionedKeys.KeyOf(new
        {
            Images = row.Images.Select(image => image.Sha256), row.Split, row.Product, row.Title, row.Category, row.Price, row.Fields,
        }));
        entry.Write(unit.Number);
        entry.Write(row.Row);
    }

    /// <summary>Writes the entries of a part.</summary>
    public Task WriteKeysAsync(int part, PartitionedKeys keys, CancellationToken cancellationToken) =>
        keys.WriteAsync(container, partition => dataset.RowKeys(partition, part), cancellationToken);

    /// <summary>Finds the rows of a partition that repeat earlier rows. The keys of all parts must have been written.</summary>
    public async Task FindAsync(int partition, int parts, CancellationToken cancellationToken)
    {
        var seen = new HashSet<UInt128>();
        for (var part = 0; part < parts; part++)
        {
            using var entries = await PartitionedKeys.ReadAsync(
                container.GetBlobClient(dataset.RowKeys(partition, part)), cancellationToken);
            using var repeated = new MemoryStream();
            using var writer = new BinaryWriter(repeated);
            // A set that grows by itself copies what it has again and again.
            seen.EnsureCapacity(seen.Count + (int)(entries.BaseStream.Length / EntryBytes));
            while (PartitionedKeys.ReadKey(entries) is { } key)
            {
                var (unit, row) = (entries.ReadInt32(), entries.ReadInt64());
                if (seen.Add(key)) continue;
                writer.Write(unit);
                writer.Write(row);
            }
            if (repeated.Length == 0) continue;
            repeated.Position = 0;
            await container.GetBlobClient(dataset.RepeatedRows(part, partition)).CreateAsync(
                repeated, "application/octet-stream", cancellationToken);
        }
    }

    /// <summary>Reads the repeated rows of a part by their units. All partitions must have been searched.</summary>
    public async Task<ILookup<int, long>> FoundAsync(int part, int partitions, CancellationToken cancellationToken)
    {
        var found = new List<(int Unit, long Row)>();
        for (var partition = 0; partition < partitions; partition++)
        {
            var blob = container.GetBlobClient(dataset.RepeatedRows(part, partition));
            if (await blob.FindContentAsync(cancellationToken) is not { } content) continue;
            using var rows = new BinaryReader(content.ToStream());
            while (rows.BaseStream.Position < rows.BaseStream.Length) found.Add((rows.ReadInt32(), rows.ReadInt64()));
        }
        return found.ToLookup(repeated => repeated.Unit, repeated => repeated.Row);
    }

    /// <summary>Marks the repeated rows of a unit, and stores their indices.</summary>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IReadOnlyList<ManifestRow> rows, IEnumerable<long> repeated,
        CancellationToken cancellationToken)
    {
        var indices = repeated.ToHashSet();
        if (indices.Count == 0) return rows;
        await Blob(unit).CreateJsonAsync(indices.Order(), PipelineJson.Compact, cancellationToken);
        return [.. rows.Select(row => indices.Contains(row.Row) ? row with { State = RowState.Duplicate } : row)];
    }

    /// <summary>Reads the indices of a unit's duplicate rows.</summary>
    public Task<IReadOnlySet<long>> ReadAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        ReadAsync(Blob(unit), cancellationToken);

    /// <inheritdoc cref="ReadAsync(IngestUnit, CancellationToken)"/>
    /// <param name="unit">Name of the unit.</param>
    public Task<IReadOnlySet<long>> ReadAsync(string unit, CancellationToken cancellationToken) =>
        ReadAsync(container.GetBlobClient($"{dataset.DuplicateRows}{unit}.json"), cancellationToken);

    /// <summary>Lists the names of the units that have duplicate rows.</summary>
    public Task<IReadOnlySet<string>> UnitsAsync(CancellationToken cancellationToken) =>
        container.FileNamesAsync(dataset.DuplicateRows, cancellationToken);

    private static async Task<IReadOnlySet<long>> ReadAsync(BlobClient blob, CancellationToken cancellationToken) =>
        await blob.ReadJsonAsync<HashSet<long>>(cancellationToken) ?? [];

    private BlobClient Blob(IngestUnit unit) => container.GetBlobClient(dataset.Duplicates(unit.Split, unit.Number));
}

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Finds rows of the same product and split in any units of the dataset: the images of all go into the sample of the first one. Works in
/// parts and partitions as <see cref="DuplicateRows"/> does, in memory that does not grow with the dataset.
/// </summary>
internal sealed class ProductRows(BlobContainerClient container, DatasetBlobs dataset)
{
    private const int ImageBytes = SHA256.HashSizeInBytes;

    /// <summary>True when the request wants the rows of a product merged.</summary>
    public static bool AreMerged(IngestPlan plan) => plan.Request.Images == ImageUse.Prompt && plan.Columns.Product is not null;

    /// <summary>Adds an entry for a stored row that has a product.</summary>
    public static void Add(PartitionedKeys keys, IngestUnit unit, ManifestRow row)
    {
        if (row.Product is null) return;
        var entry = keys.Begin(PartitionedKeys.KeyOf(new { row.Split, row.Product }));
        entry.Write(unit.Number);
        entry.Write(row.SourceSplit);
        entry.Write(row.Row);
        entry.Write((byte)row.Images.Count);
        foreach (var image in row.Images) entry.Write(Convert.FromHexString(image.Sha256));
    }

    /// <summary>Writes the entries of a part.</summary>
    public Task WriteKeysAsync(int part, PartitionedKeys keys, CancellationToken cancellationToken) =>
        keys.WriteAsync(container, partition => dataset.ProductKeys(partition, part), cancellationToken);

    /// <summary>Finds the products of a partition that have several rows. The entries of all parts must have been written.</summary>
    /// <param name="mostImages">Maximum number of images of a sample.</param>
    public async Task FindAsync(int partition, int parts, int mostImages, CancellationToken cancellationToken)
    {
        var samples = new Dictionary<UInt128, Sample>();
        for (var part = 0; part < parts; part++)
        {
            using var entries = await PartitionedKeys.ReadAsync(
                container.GetBlobClient(dataset.ProductKeys(partition, part)), cancellationToken);
            // Stored at once, as most rows of a dataset may be of one product.
            await KeepAsync(dataset.ProductRows(part, partition), Merge(entries, part, mostImages, samples), cancellationToken);
        }
        foreach (var part in samples.Values.Where(sample => sample.HasMore).GroupBy(sample => sample.Part))
        {
            await KeepAsync(dataset.ProductSamples(part.Key, partition),
                [.. part.Select(sample => new MergedRow(sample.Unit, sample.Row) { Images = sample.Images })], cancellationToken);
        }
    }

    /// <summary>Reads the rows of a part that were found, by their units. All partitions must have been searched.</summary>
    public async Task<ILookup<int, MergedRow>> FoundAsync(int part, int partitions, CancellationToken cancellationToken)
    {
        var found = new List<MergedRow>();
        for (var partition = 0; partition < partitions; partition++)
        {
            foreach (var name in new[] { dataset.ProductRows(part, partition), dataset.ProductSamples(part, partition) })
                found.AddRange(await container.GetBlobClient(name).ReadJsonAsync<List<MergedRow>>(cancellationToken) ?? []);
        }
        return found.ToLookup(row => row.Unit);
    }

    /// <summary>Marks the rows of a unit that are merged into others, and stores what was found.</summary>
    /// <param name="rows">The rows of the unit, with duplicates marked.</param>
    public async Task<IReadOnlyList<ManifestRow>> MarkAsync(IngestUnit unit, IReadOnlyList<ManifestRow> rows, IEnumerable<MergedRow> found,
        CancellationToken cancellationToken)
    {
        var merged = found.OrderBy(row => row.Row).ToList();
        if (merged.Count == 0) return rows;
        await KeepAsync(dataset.Merged(unit.Split, unit.Number), merged, cancellationToken);
        var byRow = merged.ToDictionary(row => row.Row);
        return [.. rows.Select(row => Mark(row, byRow))];
    }

    /// <summary>Marks a row that is merged into another.</summary>
    /// <param name="row">The row, which may be a duplicate.</param>
    /// <param name="merged">The rows of the unit from <see cref="ReadAsync(string, CancellationToken)"/>.</param>
    public static ManifestRow Mark(ManifestRow row, IReadOnlyDictionary<long, MergedRow> merged) =>
        row.State == RowState.Stored && merged.GetValueOrDefault(row.Row)?.Into is { } into ? row with { MergedInto = into } : row;

    /// <summary>Reads the rows of a unit that were found, by their indices.</summary>
    public Task<IReadOnlyDictionary<long, MergedRow>> ReadAsync(IngestUnit unit, CancellationToken cancellationToken) =>
        ReadAsync(container.GetBlobClient(dataset.Merged(unit.Split, unit.Number)), cancellationToken);

    /// <inheritdoc cref="ReadAsync(IngestUnit, CancellationToken)"/>
    /// <param name="unit">Name of the unit.</param>
    public Task<IReadOnlyDictionary<long, MergedRow>> ReadAsync(string unit, CancellationToken cancellationToken) =>
        ReadAsync(container.GetBlobClient($"{dataset.MergedRows}{unit}.json"), cancellationToken);

    /// <summary>Lists the names of the units that have such rows.</summary>
    public Task<IReadOnlySet<string>> UnitsAsync(CancellationToken cancellationToken) =>
        container.FileNamesAsync(dataset.MergedRows, cancellationToken);

    private static async Task<IReadOnlyDictionary<long, MergedRow>> ReadAsync(BlobClient blob, CancellationToken cancellationToken) =>
        (await blob.ReadJsonAsync<List<MergedRow>>(cancellationToken) ?? []).ToDictionary(row => row.Row);

    /// <summary>Merges the rows of a part into the samples so far; returns the rows that are not the first of their product.</summary>
    private static List<MergedRow> Merge(BinaryReader entries, int part, int mostImages, Dictionary<UInt128, Sample> samples)
    {
        var found = new List<MergedRow>();
        while (PartitionedKeys.ReadKey(entries) is { } key)
        {
            // A few names of splits, each of them once in memory.
            var (unit, split, row) = (entries.ReadInt32(), string.Intern(entries.ReadString()), entries.ReadInt64());
            var images = entries.ReadBytes(entries.ReadByte() * ImageBytes);
            ref var sample = ref CollectionsMarshal.GetValueRefOrAddDefault(samples, key, out var hasSample);
            if (!hasSample) sample = new Sample(part, unit, split, row, images, HasMore: false);
            else
            {
                found.Add(new MergedRow(unit, row) { Into = $"{sample.Split}/{sample.Row}" });
                sample = sample with { Images = Union(sample.Images, images, mostImages), HasMore = true };
            }
        }
        return found;
    }

    // Arrays of SHA-256.
    private static byte[] Union(byte[] images, byte[] more, int most)
    {
        foreach (var image in more.Chunk(ImageBytes))
            if (images.Length < most * ImageBytes && !images.Chunk(ImageBytes).Any(image.SequenceEqual)) images = [.. images, .. image];
        return images;
    }

    private async Task KeepAsync(string name, List<MergedRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count > 0) await container.GetBlobClient(name).CreateJsonAsync(rows, PipelineJson.Compact, cancellationToken);
    }

    private readonly record struct Sample(int Part, int Unit, string Split, long Row, byte[] Images, bool HasMore);
}

/// <summary>A row of a product that has several.</summary>
/// <param name="Unit">Number of the unit.</param>
/// <param name="Row">Index of the row in its source split.</param>
internal sealed record MergedRow(int Unit, long Row)
{
    /// <summary>Row whose sample has the images of this one, as <c>{source split}/{row}</c>; null for the first row of a product.</summary>
    public string? Into { get; init; }

    /// <summary>Images of the sample of the first row: the SHA-256 of each, 32 bytes; null for another row.</summary>
    public byte[]? Images { get; init; }
}

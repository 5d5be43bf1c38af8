using System.Formats.Tar;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Writes WebDataset shards: a tar with <c>{key}.{jpg|png|webp|gif|bmp}</c>, the image as it was, and <c>{key}.json</c> for each sample. The
/// same rows always give the same bytes. Beside each lies its index, which is there before the tar is.
/// </summary>
internal sealed class ShardWriter(ResolvedDataset dataset, BlobContainerClient container)
{
    private const int ImagesAtOnce = 16;
    private const int TarHeaderBytes = 512;

    /// <param name="split">One of <see cref="Splits"/>.</param>
    /// <param name="unit">Number of the unit.</param>
    /// <param name="rows">The rows that are in the shard, at least one.</param>
    public async Task<ShardInfo> WriteAsync(string split, int unit, IReadOnlyList<ManifestRow> rows, CancellationToken cancellation)
    {
        var name = dataset.Blobs.Shard(split, unit);
        var blob = container.GetBlobClient(name);
        if (!await blob.ExistsAsync(cancellation))
        {
            await using var file = TemporaryFile.Create();
            using var index = new MemoryStream();
            await using (var tar = new TarWriter(file, TarEntryFormat.Ustar, leaveOpen: true))
                foreach (var some in rows.Chunk(ImagesAtOnce))
                    await AddAsync(tar, file, index, some, cancellation);
            (file.Position, index.Position) = (0, 0);
            await container.GetBlobClient(DatasetBlobs.ShardIndex(name)).CreateAsync(index, "application/jsonl", cancellation);
            await blob.CreateAsync(file, "application/x-tar", cancellation);
        }
        var properties = await blob.GetPropertiesAsync(cancellationToken: cancellation);
        return new ShardInfo(name, split, rows.Count, properties.Value.ContentLength);
    }

    private async Task AddAsync(TarWriter tar, Stream file, Stream index, ManifestRow[] rows, CancellationToken cancellation)
    {
        var images = await Task.WhenAll(rows.Select(async row =>
            (await container.GetBlobClient(dataset.Blobs.Image(row.Sha256!)).DownloadContentAsync(cancellation)).Value.Content.ToMemory()));
        foreach (var (row, image) in rows.Zip(images))
        {
            // A dot in a key would be taken for the beginning of the extension.
            var key = $"{row.SourceSplit.Replace('.', '_')}-{row.Row}";
            var labels = new SampleLabels(key, row.Sha256!, row.Title, row.Category, row.Price);
            var header = ImageReader.Identify(image);
            var sample = new ShardSample(labels, header.Width, header.Height, file.Position + TarHeaderBytes, image.Length);
            JsonSerializer.Serialize(index, sample, PipelineJson.Compact);
            index.WriteByte((byte)'\n');
            await AddAsync(tar, $"{key}.{header.Extension}", image, cancellation);
            await AddAsync(tar, $"{key}.json", JsonSerializer.SerializeToUtf8Bytes(labels, PipelineJson.Compact), cancellation);
        }
    }

    private static Task AddAsync(TarWriter tar, string name, ReadOnlyMemory<byte> content, CancellationToken cancellation) =>
        tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name)
        {
            DataStream = new MemoryStream(content.ToArray()),
            ModificationTime = DateTimeOffset.UnixEpoch,
            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }, cancellation);
}

using System.Formats.Tar;
using System.Globalization;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>
/// Writes WebDataset shards: a tar with <c>{key}.{jpg|png|webp|gif|bmp}</c>, the original image, <c>{key}.1.…</c>, <c>{key}.2.…</c> for
/// further images, and <c>{key}.json</c> for each sample. The same samples always give the same bytes. The index of a shard is written
/// before the tar, so that a shard that exists has its index.
/// </summary>
internal sealed class ShardWriter(DatasetBlobs dataset, BlobContainerClient container)
{
    private const string Split = "split";
    private const string Samples = "samples";

    // Each download has two buffers of 128 kB, which the array pool keeps, and an instance writes several shards at once.
    private const int SamplesAtOnce = 4;

    private const int TarHeaderBytes = 512;

    /// <summary>Writes a shard and its index unless the shard exists.</summary>
    /// <param name="split">One of <see cref="Splits"/>.</param>
    /// <param name="number">Number of the shard from 0; shards of different splits made from the same units share it.</param>
    /// <param name="samples">The samples of the shard, at least one.</param>
    public async Task WriteAsync(string split, int number, IReadOnlyList<SampleRow> samples, CancellationToken cancellationToken)
    {
        var name = dataset.Shard(split, number);
        var blob = container.GetBlobClient(name);
        if (await blob.ExistsAsync(cancellationToken)) return;
        await using var file = TemporaryFile.Create();
        await using var index = TemporaryFile.Create();
        await using (var tar = new TarWriter(file, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (var batch in samples.Chunk(SamplesAtOnce))
                await AddAsync(tar, file, index, batch, cancellationToken);
        }
        (file.Position, index.Position) = (0, 0);
        await container.GetBlobClient(DatasetBlobs.ShardIndex(name)).CreateAsync(index, "application/jsonl", cancellationToken);
        await blob.CreateAsync(file, "application/x-tar", cancellationToken,
            new Dictionary<string, string> { [Split] = split, [Samples] = samples.Count.ToString(CultureInfo.InvariantCulture) });
    }

    /// <summary>Lists the shards written so far, in the order of their names.</summary>
    public async Task<IReadOnlyList<ShardInfo>> ListAsync(CancellationToken cancellationToken)
    {
        var shards = new List<ShardInfo>();
        var options = new GetBlobsOptions { Prefix = dataset.Shards, Traits = BlobTraits.Metadata };
        await foreach (var blob in container.GetBlobsAsync(options, cancellationToken))
        {
            if (blob.Metadata.TryGetValue(Samples, out var samples))
            {
                shards.Add(new ShardInfo(blob.Name, blob.Metadata[Split], int.Parse(samples, CultureInfo.InvariantCulture),
                    blob.Properties.ContentLength!.Value));
            }
        }
        return shards;
    }

    private async Task AddAsync(TarWriter tar, Stream file, Stream index, SampleRow[] samples, CancellationToken cancellationToken)
    {
        var images = await Task.WhenAll(samples.Select(sample => Task.WhenAll(sample.Images.Select(async sha =>
            (await container.GetBlobClient(dataset.Image(sha)).DownloadContentAsync(cancellationToken)).Value.Content))));
        foreach (var ((key, row, shas), contents) in samples.Zip(images))
        {
            var labels = new SampleLabels(key, shas[0], row.Title, row.Category, row.Price) { Fields = row.Fields };
            var stored = new List<ShardImage>();
            foreach (var (sha, image) in shas.Zip(contents))
            {
                var header = ImageReader.Identify(image.ToMemory());
                // The image is a range of the tar: its header is one block of 512 bytes, the content follows.
                var number = stored.Count == 0 ? "" : $".{stored.Count}";
                stored.Add(new ShardImage(sha, header.Width, header.Height, file.Position + TarHeaderBytes, image.Length));
                await AddAsync(tar, $"{key}{number}.{header.Extension}", image, cancellationToken);
            }
            var (_, width, height, offset, length) = stored[0];
            var sample = new ShardSample(labels, width, height, offset, length) { MoreImages = stored.Count == 1 ? null : stored[1..] };
            JsonSerializer.Serialize(index, sample, PipelineJson.Compact);
            index.WriteByte((byte)'\n');
            await AddAsync(tar, $"{key}.json", BinaryData.FromObjectAsJson(labels, PipelineJson.Compact), cancellationToken);
        }
    }

    private static Task AddAsync(TarWriter tar, string name, BinaryData content, CancellationToken cancellationToken) =>
        tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name)
        {
            DataStream = content.ToStream(),
            ModificationTime = DateTimeOffset.UnixEpoch,
            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }, cancellationToken);
}

using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Tests;

/// <summary>Writes WebDataset shards with their indexes.</summary>
internal static class TarShard
{
    private const int HeaderBytes = 512;
    private static readonly (Rgb24 Colour, string Category)[] Kinds = [(new Rgb24(220, 20, 20), "Hats"), (new Rgb24(20, 20, 220), "Coats")];

    /// <summary>A shard of PNG images, one for each sample.</summary>
    /// <param name="root">The folder that stands for the storage account.</param>
    public static ShardInfo Write(
        string root, string blob, string split, IReadOnlyList<(SampleLabels Labels, int Width, int Height, byte[] Image)> samples) =>
        Write(root, blob, split, [.. samples.Select(sample => (sample.Labels, sample.Width, sample.Height, new[] { sample.Image }))]);

    /// <summary>A shard of PNG images, several of one size for each sample.</summary>
    /// <param name="root">The folder that stands for the storage account.</param>
    public static ShardInfo Write(
        string root, string blob, string split, IReadOnlyList<(SampleLabels Labels, int Width, int Height, byte[][] Images)> samples)
    {
        var path = Path.Combine(root, Containers.Datasets, blob);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var file = File.Create(path);
        var index = new List<string>();
        using (var tar = new TarWriter(file, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (var (labels, width, height, images) in samples)
            {
                var stored = new List<ShardImage>();
                foreach (var image in images)
                {
                    var sha = Convert.ToHexStringLower(SHA256.HashData(image));
                    stored.Add(new ShardImage(sha, width, height, file.Position + HeaderBytes, image.Length));
                    Add(tar, $"{labels.Key}{(stored.Count == 1 ? "" : $".{stored.Count - 1}")}.png", image);
                }
                var sample = new ShardSample(labels, width, height, stored[0].Offset, stored[0].Length)
                {
                    MoreImages = stored.Count == 1 ? null : stored[1..],
                };
                index.Add(JsonSerializer.Serialize(sample, PipelineJson.Compact));
                Add(tar, $"{labels.Key}.json", JsonSerializer.SerializeToUtf8Bytes(labels, PipelineJson.Compact));
            }
        }
        File.WriteAllLines(Path.Combine(root, Containers.Datasets, DatasetBlobs.ShardIndex(blob)), index);
        return new ShardInfo(blob, split, samples.Count, file.Length);
    }

    /// <summary>An index without its shard.</summary>
    /// <returns>The shard, of 1 byte.</returns>
    public static ShardInfo WriteIndex(string root, string blob, string split, IEnumerable<ShardSample> samples)
    {
        var lines = samples.Select(sample => JsonSerializer.Serialize(sample, PipelineJson.Compact)).ToList();
        Directory.CreateDirectory(Path.Combine(root, Containers.Datasets));
        File.WriteAllLines(Path.Combine(root, Containers.Datasets, DatasetBlobs.ShardIndex(blob)), lines);
        return new ShardInfo(blob, split, lines.Count, 1);
    }

    /// <summary>Samples of one colour each, which is also their category.</summary>
    public static ShardInfo WriteColours(string root, string blob, string split, int samples, int width = 60, int height = 60) =>
        Write(root, blob, split, [.. Enumerable.Range(0, samples).Select(i =>
        {
            var (colour, category) = Kinds[i % Kinds.Length];
            var image = Png(width, height, colour);
            var labels = new SampleLabels($"{split}-{i}", Convert.ToHexStringLower(SHA256.HashData(image)), null, category, null);
            return (labels, width, height, image);
        })]);

    private static void Add(TarWriter tar, string name, byte[] content) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });

    /// <summary>An image of one colour.</summary>
    public static byte[] Png(int width, int height, Rgb24 colour)
    {
        using var image = new Image<Rgb24>(width, height, colour);
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }
}

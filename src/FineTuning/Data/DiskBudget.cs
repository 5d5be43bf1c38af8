using System.Globalization;
using System.Numerics;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>Division of a disk's free space, so that a run whose dataset is larger than the disk fits on it.</summary>
/// <param name="Shards">Maximum bytes of <see cref="ShardCache"/>: at least two shards.</param>
/// <param name="Features">Maximum bytes of <see cref="VisionFeatureCache"/>, those of earlier runs included.</param>
internal sealed record DiskBudget(long Shards, long Features)
{
    // The rest is for logs, metrics and other processes.
    private const double Usable = 0.9;

    /// <summary>
    /// Bytes of shards whose samples are shuffled together. Two such groups are on disk while one follows the other. A power of two, so
    /// that attempts on disks of nearly the same size shuffle alike, and a part of the checkpoint, so that the others do too.
    /// </summary>
    public long ShuffledBytes => Math.Min(SampleOrder.MostBytesTogether, (long)BitOperations.RoundUpToPowerOf2((ulong)Shards / 2 + 1) / 2);

    /// <summary>Divides the free space; the limits of the options hold on a disk that has more.</summary>
    /// <param name="free">Bytes that are free, when base model and indexes are on the disk.</param>
    /// <param name="reserved">Bytes that checkpoints and the fine-tuned model take later.</param>
    /// <param name="cached">Bytes of cached features, which are on the disk already.</param>
    /// <exception cref="TrainingException">The disk has no room for two of the shards.</exception>
    public static DiskBudget Of(
        long free, long reserved, long cached, IReadOnlyList<ShardInfo> shards, TrainingJobRunnerOptions options)
    {
        var left = (long)(free * Usable) - reserved;
        var largest = shards.Max(shard => shard.Bytes);
        // Half of it for features, which are worth more than shards: they spare the vision tower, a shard only a download.
        if (left / 2 < 2 * largest)
        {
            throw new TrainingException(string.Create(CultureInfo.InvariantCulture,
                $"The disk of {options.WorkFolder} has {free / 1e9:0.##} GB free. Checkpoints and the model take " +
                $"{reserved / 1e9:0.##} GB, and shards and features need " +
                $"{4 * largest / 1e9:0.##} GB at least. Give the worker a larger disk."));
        }
        return new DiskBudget(
            Math.Min(options.ShardCacheBytes, left / 2), Math.Min(options.FeatureCacheBytes, cached + left / 2));
    }

    /// <summary>Computes the bytes of all files below a folder; 0 when there is none.</summary>
    public static long BytesBelow(string folder) => Directory.Exists(folder)
        ? new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)
        : 0;
}

using System.Buffers;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Win32.SafeHandles;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Index of a shard's samples, as a local file. Memory holds where its lines are, 8 bytes for each sample, so that a dataset of any size
/// can be planned.
/// </summary>
public sealed class ShardIndex
{
    private const int ReadAtOnce = 8;

    private readonly string _path;
    private readonly (int Start, int Length)[] _lines;

    private ShardIndex(ShardInfo shard, string path, (int Start, int Length)[] lines) => (Shard, _path, _lines) = (shard, path, lines);

    /// <summary>Shard of the samples.</summary>
    public ShardInfo Shard { get; }

    /// <summary>Number of samples.</summary>
    public int Count => _lines.Length;

    /// <summary>Reads the samples in the order of the shard.</summary>
    public IEnumerable<ShardSample> Samples
    {
        get
        {
            using var file = Open();
            for (var i = 0; i < Count; i++) yield return Read(file, i);
        }
    }

    /// <summary>Copies the indexes of all shards to a folder and checks them, without fetching a shard.</summary>
    /// <param name="folder">Folder of the copies, created here and removed by the caller.</param>
    /// <returns>The indexes in the order of the shards.</returns>
    /// <exception cref="TrainingException">An index is missing or damaged.</exception>
    public static async Task<IReadOnlyList<ShardIndex>> ReadAsync(
        IRunStore store, IReadOnlyList<ShardInfo> shards, string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var indexes = new ShardIndex[shards.Count];
        await Parallel.ForAsync(0, shards.Count,
            new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken },
            async (i, token) => indexes[i] = await ReadAsync(store, shards[i], Path.Combine(folder, $"{i:D6}.jsonl"), token));
        return indexes;
    }

    /// <summary>Opens the local file for <see cref="Read"/>.</summary>
    public SafeFileHandle Open() => File.OpenHandle(_path);

    /// <summary>Reads a sample by its place in the shard.</summary>
    public ShardSample Read(SafeFileHandle file, int number)
    {
        var (start, length) = _lines[number];
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var line = buffer.AsSpan(0, length);
            if (RandomAccess.Read(file, line, start) != length) throw new EndOfStreamException($"{_path} was changed.");
            return JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)!;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<ShardIndex> ReadAsync(IRunStore store, ShardInfo shard, string path, CancellationToken cancellationToken)
    {
        var name = DatasetBlobs.ShardIndex(shard.Blob);
        try
        {
            await store.DownloadAsync(Containers.Datasets, name, path, cancellationToken);
        }
        catch (FileNotFoundException e)
        {
            throw new TrainingException($"The shard index {name} is gone; ingest the dataset again.", e);
        }
        var lines = Lines(await File.ReadAllBytesAsync(path, cancellationToken), name);
        return lines.Length == shard.Samples
            ? new ShardIndex(shard, path, lines)
            : throw new TrainingException(
                $"The shard index {name} lists {lines.Length} of {shard.Samples} samples; ingest the dataset again.");
    }

    private static (int Start, int Length)[] Lines(ReadOnlySpan<byte> content, string name)
    {
        var lines = new List<(int, int)>();
        foreach (var range in content.Split((byte)'\n'))
        {
            var (start, length) = range.GetOffsetAndLength(content.Length);
            if (length == 0) continue;
            Check(content[range], name, lines.Count + 1);
            lines.Add((start, length));
        }
        return [.. lines];
    }

    private static void Check(ReadOnlySpan<byte> line, string name, int number)
    {
        try
        {
            if (JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact)
                is not { Labels: not null, Width: > 0, Height: > 0, Offset: >= 0, Length: > 0 })
                throw new JsonException("it is no sample");
        }
        catch (JsonException e)
        {
            throw new TrainingException($"Line {number} of the shard index {name} is not what it should be: {e.Message}", e);
        }
    }
}

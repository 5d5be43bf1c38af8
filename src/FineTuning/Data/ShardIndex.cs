using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Index of a shard's samples.</summary>
/// <param name="Shard">Shard of the samples.</param>
/// <param name="Samples">Samples in the order of the shard.</param>
public sealed record ShardIndex(ShardInfo Shard, IReadOnlyList<ShardSample> Samples)
{
    private const int ReadAtOnce = 8;

    /// <summary>Reads the indexes of all shards without fetching a shard.</summary>
    /// <returns>The indexes in the order of the shards.</returns>
    /// <exception cref="TrainingException">An index is missing or damaged.</exception>
    public static async Task<IReadOnlyList<ShardIndex>> ReadAsync(
        IRunStore store, IReadOnlyList<ShardInfo> shards, CancellationToken cancellationToken)
    {
        var indexes = new ShardIndex[shards.Count];
        await Parallel.ForAsync(0, shards.Count,
            new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken },
            async (i, token) => indexes[i] = await ReadAsync(store, shards[i], token));
        return indexes;
    }

    private static async Task<ShardIndex> ReadAsync(IRunStore store, ShardInfo shard, CancellationToken cancellationToken)
    {
        var name = DatasetBlobs.ShardIndex(shard.Blob);
        var lines = await store.ReadAsync(Containers.Datasets, name, cancellationToken)
            ?? throw new TrainingException($"The shard index {name} is gone; ingest the dataset again.");
        var samples = new List<ShardSample>(shard.Samples);
        using var reader = new StreamReader(new MemoryStream(lines));
        while (await reader.ReadLineAsync(cancellationToken) is { } line) samples.Add(Parse(line, name, samples.Count + 1));
        return samples.Count == shard.Samples
            ? new ShardIndex(shard, samples)
            : throw new TrainingException($"The shard index {name} lists {samples.Count} of {shard.Samples} samples; ingest the dataset again.");
    }

    private static ShardSample Parse(string line, string name, int number)
    {
        try
        {
            var sample = JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact);
            return sample is { Labels: not null, Width: > 0, Height: > 0, Offset: >= 0, Length: > 0 }
                ? sample
                : throw new JsonException("it is no sample");
        }
        catch (JsonException e)
        {
            throw new TrainingException($"Line {number} of the shard index {name} is not what it should be: {e.Message}", e);
        }
    }
}

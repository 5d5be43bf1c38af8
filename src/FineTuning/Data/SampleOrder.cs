using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Order of the samples: every epoch has its own order of the shards and takes a few shards at a time, whose samples are shuffled together.
/// A small dataset is thus shuffled completely, and a large one can be read shard by shard. The order is a function of the seed, the
/// samples and the bytes shuffled together, so that a run can resume at any position.
/// </summary>
internal sealed class SampleOrder
{
    /// <summary>Maximum number of shards whose samples are shuffled together.</summary>
    public const int ShardsTogether = 16;

    /// <summary>Maximum bytes of these shards, on any disk.</summary>
    public const long MostBytesTogether = 4L << 30;

    private readonly IReadOnlyList<Sample> _samples;
    private readonly IReadOnlyList<(int First, int Count, long Bytes)> _shards;
    private readonly int _seed;
    private readonly long _bytesTogether;

    /// <param name="samples">At least one; those of a shard follow each other.</param>
    /// <param name="bytesTogether">Maximum bytes of the shards whose samples are shuffled together, but at least one shard.</param>
    public SampleOrder(IReadOnlyList<Sample> samples, int seed, long bytesTogether = MostBytesTogether)
    {
        (_samples, _seed, _bytesTogether) = (samples, seed, bytesTogether);
        var (shards, count, last) = (new List<(int First, int Count, long Bytes)>(), 0, default(ShardInfo));
        foreach (var shard in samples.Select(sample => sample.Shard))
        {
            if (shard != last) shards.Add((count, 0, shard.Bytes));
            shards[^1] = shards[^1] with { Count = shards[^1].Count + 1 };
            (count, last) = (count + 1, shard);
        }
        _shards = shards;
    }

    /// <summary>
    /// Yields the batches of a run; a batch may span two epochs. All are full except the last.
    /// </summary>
    /// <param name="start">Number of samples already taken, which are skipped without being read.</param>
    /// <param name="total">Number of samples of the run over all epochs.</param>
    public IEnumerable<IReadOnlyList<Sample>> Batches(int batchSize, long start, long total) =>
        Between(start, total).Chunk(batchSize);

    private IEnumerable<Sample> Between(long start, long total)
    {
        var position = start;
        var skip = (int)(start % _samples.Count);
        for (var epoch = start / _samples.Count; ; epoch++)
        {
            var number = 0;
            foreach (var group in Groups(epoch))
            {
                number++;
                var size = group.Sum(shard => shard.Count);
                // Groups before the start position are skipped by their sizes alone, without shuffling.
                if (skip >= size)
                {
                    skip -= size;
                    continue;
                }
                int[] together = [.. group.SelectMany(shard => Enumerable.Range(shard.First, shard.Count))];
                // A generator per epoch and group: a group's order does not depend on the groups before it.
                SeededRandom.At(_seed, epoch, number).Shuffle(together);
                for (; skip < together.Length; skip++, position++)
                {
                    if (position >= total) yield break;
                    yield return _samples[together[skip]];
                }
                skip = 0;
            }
        }
    }

    private IEnumerable<IReadOnlyList<(int First, int Count, long Bytes)>> Groups(long epoch)
    {
        (int First, int Count, long Bytes)[] order = [.. _shards];
        SeededRandom.At(_seed, epoch).Shuffle(order);
        var group = new List<(int First, int Count, long Bytes)>();
        long bytes = 0;
        foreach (var shard in order)
        {
            if (group.Count > 0 && (group.Count == ShardsTogether || bytes + shard.Bytes > _bytesTogether))
            {
                yield return group;
                (group, bytes) = ([], 0);
            }
            group.Add(shard);
            bytes += shard.Bytes;
        }
        yield return group;
    }
}

/// <summary>
/// Random numbers as a function of a seed and a position, without the state of a sequence, so that a resumed run draws the same numbers as
/// an uninterrupted one.
/// </summary>
internal static class SeededRandom
{
    /// <summary>Creates a generator; equal seeds and places give equal numbers.</summary>
    /// <param name="place">Position, such as an epoch and a group within it.</param>
    public static Random At(int seed, params ReadOnlySpan<long> place)
    {
        var state = Mix(unchecked((ulong)seed));
        foreach (var part in place) state = Mix(unchecked(state + (ulong)part));
        // The upper 31 bits, a seed that is not negative.
        return new Random((int)(state >> 33));
    }

    // SplitMix64 (Steele, Lea and Flood 2014): without the mixing, neighbouring places would draw similar numbers.
    private static ulong Mix(ulong value)
    {
        unchecked
        {
            value += 0x9E3779B97F4A7C15;
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Which samples come when: in every epoch the shards in an order of its own, a few at a time, whose samples are shuffled together. So a
/// small dataset is shuffled as a whole, and a large one can be read shard by shard. Everything follows from the seed and the samples, so
/// that a run can go on from anywhere.
/// </summary>
internal sealed class SampleOrder
{
    /// <summary>Shards whose samples are shuffled together, at most.</summary>
    public const int ShardsTogether = 16;

    // They have to be on disk at the same time, and the next ones besides.
    private const long BytesTogether = 4L << 30;

    private readonly IReadOnlyList<Sample[]> _shards;
    private readonly int _count;
    private readonly int _seed;

    /// <param name="samples">At least one.</param>
    public SampleOrder(IReadOnlyList<Sample> samples, int seed)
    {
        (_count, _seed) = (samples.Count, seed);
        _shards = [.. samples.GroupBy(sample => sample.Shard).Select(shard => shard.ToArray())];
    }

    /// <summary>
    /// The batches of a run; one may span two epochs. All are full but the last, which ends where the run does.
    /// </summary>
    /// <param name="start">Samples that have been seen already; they are skipped without being looked at.</param>
    /// <param name="total">Samples of the whole run, over all its epochs.</param>
    public IEnumerable<IReadOnlyList<Sample>> Batches(int batchSize, long start, long total) =>
        Between(start, total).Chunk(batchSize);

    private IEnumerable<Sample> Between(long start, long total)
    {
        var position = start;
        var skip = (int)(start % _count);
        for (var epoch = start / _count; ; epoch++)
        {
            var number = 0;
            foreach (var group in Groups(epoch))
            {
                number++;
                var size = group.Sum(shard => shard.Length);
                if (skip >= size)
                {
                    skip -= size;
                    continue;
                }
                Sample[] together = [.. group.SelectMany(shard => shard)];
                SeededRandom.At(_seed, epoch, number).Shuffle(together);
                for (; skip < together.Length; skip++, position++)
                {
                    if (position >= total) yield break;
                    yield return together[skip];
                }
                skip = 0;
            }
        }
    }

    private IEnumerable<IReadOnlyList<Sample[]>> Groups(long epoch)
    {
        Sample[][] order = [.. _shards];
        SeededRandom.At(_seed, epoch).Shuffle(order);
        var group = new List<Sample[]>();
        long bytes = 0;
        foreach (var shard in order)
        {
            var more = shard[0].Shard.Bytes;
            if (group.Count > 0 && (group.Count == ShardsTogether || bytes + more > BytesTogether))
            {
                yield return group;
                (group, bytes) = ([], 0);
            }
            group.Add(shard);
            bytes += more;
        }
        yield return group;
    }
}

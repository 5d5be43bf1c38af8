using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class SampleOrderTests
{
    private static readonly IReadOnlyList<Sample> Few = Shards.Samples(shards: 2, each: 5);
    private static readonly IReadOnlyList<Sample> Many = Shards.Samples(shards: 40, each: 25);

    [Fact]
    public void Every_pass_has_every_sample_once_in_an_order_of_its_own_and_batches_are_full()
    {
        var batches = new SampleOrder(Few, seed: 1).Batches(batchSize: 4, start: 0, total: 20).ToList();
        Assert.All(batches, batch => Assert.Equal(4, batch.Count));
        var passes = batches.SelectMany(b => b).Chunk(10).ToList();
        Assert.All(passes, pass => Assert.Equal(Few.ToHashSet(), pass.ToHashSet()));
        Assert.NotEqual(passes[0], passes[1]);
    }

    [Fact]
    public void The_run_ends_with_its_last_sample()
    {
        Assert.Equal([4, 4, 4, 1], new SampleOrder(Few, seed: 1).Batches(4, start: 0, total: 13).Select(batch => batch.Count));
        Assert.Empty(new SampleOrder(Few, seed: 1).Batches(4, start: 13, total: 13));
    }

    [Fact]
    public void The_seed_decides_the_order()
    {
        static IEnumerable<Sample> First(int seed) => new SampleOrder(Many, seed).Batches(10, start: 0, total: 10).Single();
        Assert.Equal(First(seed: 1), First(seed: 1));
        Assert.NotEqual(First(seed: 1), First(seed: 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(400)]
    [InlineData(996)]
    [InlineData(1000)]
    [InlineData(2404)]
    public void A_run_that_goes_on_sees_what_it_would_have_seen(int start)
    {
        var order = new SampleOrder(Many, seed: 3);
        Assert.Equal(order.Batches(4, 0, 2600).Skip(start / 4).SelectMany(b => b), order.Batches(4, start, 2600).SelectMany(b => b));
    }

    [Fact]
    public void A_large_dataset_comes_a_few_shards_at_a_time_and_these_are_well_shuffled()
    {
        var groups = new SampleOrder(Many, seed: 1).Batches(1, 0, 1000).Select(batch => batch[0])
            .Chunk(25 * SampleOrder.ShardsTogether).ToList();
        var shards = groups.Select(group => group.Select(sample => sample.Shard).ToHashSet()).ToList();
        Assert.Equal([16, 16, 8], shards.Select(group => group.Count));
        Assert.Equal(40, shards.SelectMany(group => group).Distinct().Count());
        Assert.True(groups[0].Take(50).Select(sample => sample.Shard).Distinct().Count() > 12);
    }

    [Fact]
    public void Shards_that_are_large_come_fewer_at_a_time()
    {
        var large = Shards.Samples(shards: 6, each: 10, bytes: 2L << 30);
        var groups = new SampleOrder(large, seed: 1).Batches(20, 0, 60);
        Assert.All(groups, group => Assert.Equal(2, group.Select(sample => sample.Shard).Distinct().Count()));
    }
}

/// <summary>Samples without a shard behind them.</summary>
internal static class Shards
{
    /// <summary>Shards of equally many samples whose places in their shard count up from 0.</summary>
    /// <param name="bytes">Size of each shard.</param>
    public static IReadOnlyList<Sample> Samples(int shards, int each, long bytes = 1) =>
        [.. Enumerable.Range(0, shards).SelectMany(s =>
        {
            var shard = new ShardInfo($"{s}.tar", Splits.Train, each, bytes);
            return Enumerable.Range(0, each).Select(i => new Sample(
                shard, new ShardSample(new SampleLabels($"{s}-{i}", "00", null, "Hats", null), 60, 60, i, 1), Tokens: 400));
        })];
}

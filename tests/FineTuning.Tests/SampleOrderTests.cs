using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class SampleOrderTests
{
    private static readonly IReadOnlyList<Sample> Samples =
        [.. Enumerable.Range(0, 10).Select(i => new Sample(new SampleLabels($"{i}", "00", null, null, null), "shard", i, 1))];

    [Fact]
    public void Every_pass_has_every_sample_once_in_an_order_of_its_own_and_batches_are_full()
    {
        var batches = SampleOrder.Shuffled(Samples, batchSize: 4, seed: 1).Take(5).ToList();
        Assert.All(batches, batch => Assert.Equal(4, batch.Count));
        var passes = batches.SelectMany(b => b).Chunk(10).ToList();
        Assert.All(passes, pass => Assert.Equal(Samples, pass.OrderBy(s => s.Offset)));
        Assert.NotEqual(passes[0], passes[1]);
    }

    [Fact]
    public void The_seed_decides_the_order()
    {
        Assert.Equal(First(seed: 1), First(seed: 1));
        Assert.NotEqual(First(seed: 1), First(seed: 2));
    }

    private static IReadOnlyList<Sample> First(int seed) => SampleOrder.Shuffled(Samples, batchSize: 10, seed).First();
}

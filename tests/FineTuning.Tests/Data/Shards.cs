using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

/// <summary>Samples without a shard behind them.</summary>
internal static class Shards
{
    /// <summary>Shards of equally many samples whose places in their shard count up from 0.</summary>
    /// <param name="bytes">Of each shard.</param>
    public static IReadOnlyList<Sample> Samples(int shards, int each, long bytes = 1) =>
        [.. Enumerable.Range(0, shards).SelectMany(s =>
        {
            var shard = new ShardInfo($"{s}.tar", Splits.Train, each, bytes);
            return Enumerable.Range(0, each).Select(i => new Sample(
                shard, new ShardSample(new SampleLabels($"{s}-{i}", "00", null, "Hats", null), 60, 60, i, 1), Tokens: 400));
        })];
}

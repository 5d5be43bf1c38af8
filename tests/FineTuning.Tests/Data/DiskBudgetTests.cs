using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class DiskBudgetTests
{
    private const long Gigabyte = 1_000_000_000;

    private static readonly TrainingJobRunnerOptions Options =
        new() { WorkFolder = "/work", ShardCacheBytes = 20 * Gigabyte, FeatureCacheBytes = 30 * Gigabyte };

    private static readonly ShardInfo[] Shards = [new("0.tar", Splits.Train, 1, Gigabyte / 2), new("1.tar", Splits.Train, 1, Gigabyte)];

    [Fact]
    public void A_large_disk_gives_what_the_options_allow() =>
        Assert.Equal(new DiskBudget(20 * Gigabyte, 30 * Gigabyte), Budget(free: 1000 * Gigabyte));

    [Fact]
    public void A_small_disk_is_shared_and_what_is_cached_already_counts_as_cached() =>
        // 0.9 · 20 - 8 are left.
        Assert.Equal(
            new DiskBudget(5 * Gigabyte, 7 * Gigabyte), Budget(free: 20 * Gigabyte, reserved: 8 * Gigabyte, cached: 2 * Gigabyte));

    [Theory]
    [InlineData(20 * Gigabyte, 1L << 32)]
    [InlineData(2L << 32, 1L << 32)]
    [InlineData((2L << 32) - 1, 1L << 31)]
    [InlineData(5 * Gigabyte, 1L << 31)]
    [InlineData(2, 1)]
    public void Two_groups_that_are_shuffled_fit_and_nearly_equal_disks_have_groups_of_one_size(long shards, long shuffled) =>
        Assert.Equal(shuffled, new DiskBudget(shards, 0).ShuffledBytes);

    [Fact]
    public void A_disk_without_room_for_two_shards_says_what_is_needed()
    {
        var failure = Assert.Throws<TrainingException>(() => Budget(free: 10 * Gigabyte, reserved: 6 * Gigabyte));
        Assert.Equal(
            "The disk of /work has 10 GB free. Checkpoints and the model take 6 GB, and shards and features need 4 GB at least. " +
            "Give the worker a larger disk.",
            failure.Message);
    }

    private static DiskBudget Budget(long free, long reserved = 0, long cached = 0) =>
        DiskBudget.Of(free, reserved, cached, Shards, Options);
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class SplitRuleTests
{
    private static readonly DatasetRequest Request = new() { ValidationFraction = 0.1, TestFraction = 0.2 };

    [Theory]
    [InlineData("train", 0.05, "validation")]
    [InlineData("train", 0.15, "test")]
    [InlineData("train", 0.35, "train")]
    [InlineData("train,extra", 0.05, "validation")]
    [InlineData("train,validation", 0.05, "test")]
    [InlineData("train,validation", 0.25, "train")]
    [InlineData("train,test", 0.05, "validation")]
    [InlineData("train,test", 0.15, "train")]
    [InlineData("train,validation,test", 0.05, "train")]
    public void A_split_that_the_dataset_lacks_is_cut_from_the_others(string splits, double place, string expected) =>
        Assert.Equal(expected, new SplitRule(splits.Split(','), Request).SplitOf("train", null, At(place)));

    [Theory]
    [InlineData("train,validation", "validation")]
    [InlineData("train,test", "test")]
    [InlineData("train,validation,test", "validation")]
    [InlineData("extra,test", "test")]
    public void The_datasets_own_splits_stay_what_they_are(string splits, string source)
    {
        var rule = new SplitRule(splits.Split(','), Request);
        Assert.All(new[] { 0.05, 0.15, 0.9 }, place => Assert.Equal(source, rule.SplitOf(source, "a product", At(place))));
    }

    [Theory]
    [InlineData("test")]
    [InlineData("validation")]
    [InlineData("validation,test")]
    public void A_dataset_with_nothing_else_to_train_on_is_cut_as_a_whole(string splits)
    {
        var rule = new SplitRule(splits.Split(','), Request);
        var source = splits.Split(',')[0];
        Assert.Equal(["validation", "test", "train"], new[] { 0.05, 0.15, 0.9 }.Select(place => rule.SplitOf(source, null, At(place))));
    }

    [Fact]
    public void The_product_decides_whatever_its_picture()
    {
        var rule = new SplitRule(["train"], Request);
        foreach (var product in Enumerable.Range(0, 50).Select(i => $"{i}"))
        {
            var expected = rule.SplitOf("train", null, SHA256.HashData(Encoding.UTF8.GetBytes(product)));
            Assert.All(new[] { 0.05, 0.15, 0.9 }, place => Assert.Equal(expected, rule.SplitOf("train", product, At(place))));
        }
    }

    [Fact]
    public void Testing_takes_nothing_from_validation_and_may_be_left_out()
    {
        var without = new SplitRule(["train"], Request with { TestFraction = 0 });
        var with = new SplitRule(["train"], Request);
        foreach (var place in Enumerable.Range(0, 1000).Select(i => i / 1000.0))
        {
            var split = with.SplitOf("train", null, At(place));
            Assert.Equal(split == "validation" ? "validation" : "train", without.SplitOf("train", null, At(place)));
        }
    }

    private static byte[] At(double place)
    {
        var hash = new byte[32];
        BinaryPrimitives.WriteUInt64BigEndian(hash, (ulong)(place * ulong.MaxValue));
        return hash;
    }
}

public sealed class RowGroupMemoryTests
{
    private const long Mebibyte = 1 << 20;

    [Fact]
    public async Task A_unit_waits_until_there_is_room_and_one_that_is_too_large_for_all_of_it_goes_alone()
    {
        using var memory = new RowGroupMemory(30 * Mebibyte);
        var first = await memory.TakeAsync(Unit(6), default);
        var second = await memory.TakeAsync(Unit(4), default);
        var third = memory.TakeAsync(Unit(1), default).AsTask();
        var huge = memory.TakeAsync(Unit(1000), default).AsTask();
        Assert.False(third.IsCompleted);

        second.Dispose();
        (await third).Dispose();
        Assert.False(huge.IsCompleted);

        first.Dispose();
        Assert.True((await huge).IsAcquired);
    }

    private static IngestUnit Unit(long mebibytes) => new(0, "train", "0.parquet", 0, 0, 1, mebibytes * Mebibyte);
}

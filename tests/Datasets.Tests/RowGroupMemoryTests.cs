using FunctionsPipeline.Datasets;

namespace FunctionsPipeline.Tests.Datasets;

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

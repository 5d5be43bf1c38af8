using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class UnitPlannerTests
{
    [Fact]
    public void Units_of_embedded_images_are_whole_row_groups_of_at_least_the_unit_size()
    {
        var planner = Planner(embedded: true, unitRows: 10, new SplitRows(47, 47), File([4, 4, 4, 25, 3]), File([2, 5]));
        Assert.Equal([(0, 12), (12, 25), (37, 3), (40, 7)], Ranges(planner));
        Assert.Equal([400L, 2500, 300, 500], planner.Units.Select(unit => unit.GroupBytes));
        Assert.Equal([0L, 0, 0, 40], planner.Units.Select(unit => unit.FileStart));
        Assert.Equal([(0, 3), (3, 1)], planner.Files.Select(file => (file.FirstUnit, file.Units)));
    }

    [Fact]
    public void Large_row_groups_without_images_are_cut_but_not_so_often_that_reading_them_again_dominates()
    {
        var mixed = Planner(embedded: false, unitRows: 10, new SplitRows(30, 30), File([5, 25]));
        Assert.Equal([(0, 5), (5, 10), (15, 10), (25, 5)], Ranges(mixed));
        Assert.Equal([500L, 2500, 2500, 2500], mixed.Units.Select(unit => unit.GroupBytes));
        var huge = Planner(embedded: false, unitRows: 10, new SplitRows(100_000, 100_000), File([100_000]));
        Assert.Equal(32, huge.Units.Count);
        Assert.All(huge.Units, unit => Assert.Equal(3125, unit.Count));
    }

    [Fact]
    public void A_row_limit_counts_only_rows_that_are_taken_and_leaves_out_ranges_without_any()
    {
        var split = new SplitRows(1000, 10);
        var planner = Planner(embedded: false, unitRows: 2, split, File([990]), File([9, 1]));
        Assert.All(planner.Units, unit => Assert.InRange(split.TakenBefore(unit.Start + unit.Count) - split.TakenBefore(unit.Start), 1, 2));
        Assert.Equal(10, planner.Units.Sum(unit => split.TakenBefore(unit.Start + unit.Count) - split.TakenBefore(unit.Start)));
        Assert.Empty(Planner(embedded: true, unitRows: 2, new SplitRows(10, 0), File([10])).Units);
    }

    [Theory]
    [InlineData(5, 100, 10)]
    [InlineData(20, 250, 4)]
    [InlineData(20_000, 250, 4)]
    public void Units_share_shards_of_about_a_thousand_rows_however_many_there_are(int units, int rows, int perShard)
    {
        var planner = Planner(embedded: true, rows, new SplitRows((long)units * rows, (long)units * rows),
            File([.. Enumerable.Repeat((long)rows, units)]));
        Assert.Equal(units, planner.Units.Count);
        Assert.Equal(perShard, planner.UnitsPerShard);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Units_grow_with_a_huge_dataset_so_that_their_numbers_have_five_digits(bool embedded)
    {
        const int files = 1000;
        const long rows = 100_000;
        var split = new SplitRows(files * rows, files * rows);
        var planner = Planner(embedded, unitRows: 250, split,
            [.. Enumerable.Range(0, files).Select(_ => File([.. Enumerable.Repeat(1000L, (int)(rows / 1000))]))]);
        Assert.InRange(planner.Units.Count, 40_000, 60_000);
        Assert.Equal(files * rows, planner.Units.Sum(unit => unit.Count));
        Assert.Equal(files - 1, planner.Units[^1].FileNumber);
    }

    [Theory]
    [InlineData(1000, 10)]
    [InlineData(7, 3)]
    [InlineData(9, 9)]
    public void A_row_range_that_holds_so_many_taken_rows_ends_with_the_last_of_them(long total, long taken)
    {
        var split = new SplitRows(total, taken);
        for (var count = 0L; count <= taken; count++)
        {
            var rows = split.RowsHolding(count);
            Assert.Equal(count, split.TakenBefore(rows));
            Assert.True(rows == 0 || split.TakenBefore(rows - 1) < count);
        }
    }

    private static UnitPlanner Planner(bool embedded, int unitRows, SplitRows split, params MeasuredFile[] files)
    {
        var planner = new UnitPlanner(new Dictionary<string, SplitRows> { ["train"] = split }, unitRows, embedded);
        foreach (var file in files) planner.Add(file);
        return planner;
    }

    private static MeasuredFile File(long[] rowGroups) =>
        new("train", new HubFileInfo("train/0.parquet", 1, "aa", "bb"), [.. rowGroups.Select(rows => new RowGroupSize(rows, rows * 100))]);

    private static IEnumerable<(int, int)> Ranges(UnitPlanner planner) => planner.Units.Select(unit => ((int)unit.Start, (int)unit.Count));
}

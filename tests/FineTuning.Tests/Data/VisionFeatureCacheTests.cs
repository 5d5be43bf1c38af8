using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class VisionFeatureCacheTests : IDisposable
{
    private const int Size = 128;
    private readonly string _root = Directory.CreateTempSubdirectory("features-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Features_come_back_also_in_another_run()
    {
        Assert.Null(Open().Get(Image(1)));
        Assert.True(Open().Put(Image(1), Features(1)));
        var again = Open();
        Assert.True(again.Has(Image(1)));
        AssertSame(Features(1), again.Get(Image(1)));
        Assert.False(again.Has(Image(2)));
    }

    [Theory]
    [InlineData("other weights", 4)]
    [InlineData("tower", 1)]
    public void Another_tower_or_another_processor_has_features_of_its_own(string tower, int crops)
    {
        Open().Put(Image(1), Features(1));
        Assert.Null(Open(tower, crops).Get(Image(1)));
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(0, Size - 1)]
    [InlineData(0, 0)]
    [InlineData(5, Size)]
    [InlineData(60, Size)]
    [InlineData(Size - 1, Size)]
    public void A_damaged_entry_is_none_and_is_made_again(int flipped, int length)
    {
        Open().Put(Image(1), Features(1));
        var file = Directory.GetFiles(_root, "*", SearchOption.AllDirectories).Single();
        var bytes = File.ReadAllBytes(file);
        bytes[flipped] ^= 4;
        File.WriteAllBytes(file, bytes[..length]);
        var store = Open();
        Assert.Null(store.Get(Image(1)));
        Assert.True(store.Put(Image(1), Features(1)));
        AssertSame(Features(1), store.Get(Image(1)));
    }

    [Fact]
    public void The_budget_holds_and_what_is_in_use_stays()
    {
        var store = Open(budget: 3 * Size);
        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(i => store.Put(Image(i), Features(i))));
        Assert.Equal(3 * Size, Directory.GetFiles(_root, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length));
        Assert.NotNull(store.Get(Image(0)));
    }

    [Fact]
    public void Entries_of_earlier_runs_make_room_the_oldest_first()
    {
        var earlier = Open("earlier");
        for (var i = 0; i < 3; i++)
        {
            earlier.Put(Image(i), Features(i));
            File.SetLastWriteTimeUtc(
                Directory.GetFiles(_root, Image(i).Sha256, SearchOption.AllDirectories).Single(),
                new DateTime(2026, 1, 3 - i));
        }
        Assert.True(Open(budget: 3 * Size).Put(Image(7), Features(7)));
        Assert.Equal([true, true, false], Enumerable.Range(0, 3).Select(i => Open("earlier").Has(Image(i))));
    }

    [Fact]
    public void A_disk_that_takes_nothing_is_no_reason_to_stop()
    {
        var store = Open();
        var folder = Directory.GetDirectories(_root).Single();
        File.WriteAllText(Path.Combine(folder, Image(1).Sha256[..2]), "a file where a folder should be");
        Assert.False(store.Put(Image(1), Features(1)));
        Assert.Null(store.Get(Image(1)));
    }

    private VisionFeatureCache Open(string tower = "tower", int crops = 4, long budget = 10_000) => new(_root, tower, crops, budget);

    private static ImageFeatures Features(int i) => new([.. Enumerable.Repeat((byte)i, 100)], ScalarType.BFloat16, i + 1, 336, 672);

    private static ShardImage Image(int i) => new(new string((char)('a' + i), 64), 60, 60, 0, 1);

    private static void AssertSame(ImageFeatures expected, ImageFeatures? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected with { Values = actual.Values }, actual);
        Assert.Equal(expected.Values, actual.Values);
    }
}

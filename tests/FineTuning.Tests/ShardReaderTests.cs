using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class ShardReaderTests : IDisposable
{
    private static readonly byte[] Labels = TarShard.Json(new SampleLabels("a-1", "00", "Red Hat", "Hats", 250));
    private readonly string _folder = Directory.CreateTempSubdirectory("shards-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Samples_come_in_the_order_of_the_shard_with_their_labels_and_bytes()
    {
        var path = Write(("a-1.jpg", [1, 2, 3]), ("a-1.json", Labels), ("a-2.json", Labels), ("readme.txt", [9]), ("a-2.webp", [4, 5]));
        var samples = ShardReader.Read(path);
        Assert.Equal([[1, 2, 3], [4, 5]], samples.Select(s => s.ReadImage()));
        Assert.Equal(new Answer("Red Hat", "Hats", 250), samples[0].Answer);
    }

    [Fact]
    public void A_sample_without_an_image_or_without_labels_is_named()
    {
        var noImage = Assert.Throws<TrainingException>(() => ShardReader.Read(Write(("a-1.json", Labels))));
        Assert.Equal("The sample a-1 in the shard shard.tar has no image.", noImage.Message);
        var noLabels = Assert.Throws<TrainingException>(() => ShardReader.Read(Write(("a-1.png", [1]))));
        Assert.Contains("has no labels", noLabels.Message);
    }

    [Fact]
    public void A_file_that_is_no_tar_file_is_named()
    {
        var path = Path.Combine(_folder, "shard.tar");
        File.WriteAllText(path, new string('x', 2000));
        Assert.Contains("shard.tar is not a readable tar file", Assert.Throws<TrainingException>(() => ShardReader.Read(path)).Message);
    }

    [Fact]
    public void A_shard_that_is_cut_off_is_named()
    {
        var path = Write(("a-1.jpg", new byte[5000]), ("a-1.json", Labels));
        using (var file = File.OpenWrite(path)) file.SetLength(3000);
        Assert.Contains("shard.tar", Assert.Throws<TrainingException>(() => ShardReader.Read(path)).Message);
    }

    private string Write(params (string, byte[])[] members)
    {
        var path = Path.Combine(_folder, "shard.tar");
        TarShard.Write(path, members);
        return path;
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class ShardIndexTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("index-").FullName;
    private readonly FolderRunStore _store;
    private readonly ShardInfo _shard;

    public ShardIndexTests()
    {
        _store = new FolderRunStore(_root);
        _shard = TarShard.WriteColours(_root, "d/train-00000.tar", Splits.Train, samples: 3, width: 80, height: 50);
    }

    private string IndexFile => Path.Combine(_root, Containers.Datasets, "d/train-00000.jsonl");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Samples_are_listed_without_their_shard()
    {
        File.Delete(Path.Combine(_root, Containers.Datasets, _shard.Blob));
        var index = Assert.Single(await ShardIndex.ReadAsync(_store, [_shard], default));
        Assert.Equal(_shard, index.Shard);
        Assert.Equal(["train-0", "train-1", "train-2"], index.Samples.Select(sample => sample.Labels.Key));
        Assert.All(index.Samples, sample => Assert.Equal((80, 50), (sample.Width, sample.Height)));
    }

    [Fact]
    public async Task A_missing_index_is_named()
    {
        File.Delete(IndexFile);
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ShardIndex.ReadAsync(_store, [_shard], default));
        Assert.Equal("The shard index d/train-00000.jsonl is gone; ingest the dataset again.", failure.Message);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"labels": {"key": "a", "sha256": "00"}, "width": 0, "height": 5, "offset": 512, "length": 5}""")]
    public async Task A_damaged_line_is_named(string line)
    {
        File.AppendAllText(IndexFile, line + "\n");
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ShardIndex.ReadAsync(_store, [_shard], default));
        Assert.StartsWith("Line 4 of the shard index d/train-00000.jsonl is not what it should be:", failure.Message);
    }

    [Fact]
    public async Task An_index_that_is_cut_off_is_named()
    {
        File.WriteAllLines(IndexFile, File.ReadLines(IndexFile).Take(2).ToList());
        var failure = await Assert.ThrowsAsync<TrainingException>(() => ShardIndex.ReadAsync(_store, [_shard], default));
        Assert.Contains("lists 2 of 3 samples", failure.Message);
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class ShardCacheTests : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("shards-").FullName;
    private readonly CountingStore _store;
    private readonly List<Sample> _samples = [];

    public ShardCacheTests() => _store = new CountingStore(new LocalRunStore(_root));

    private string Disk => Path.Combine(_root, "disk");

    public async Task InitializeAsync()
    {
        for (var i = 0; i < 12; i++)
        {
            var content = Enumerable.Range(0, 2).Select(
                k => (new SampleLabels($"{i}-{k}", "00", null, "Hats", null), 1, 1, new[] { (byte)i, (byte)k }));
            var shard = TarShard.Write(_root, $"train-{i}.tar", Splits.Train, [.. content]);
            var index = (await ShardIndex.ReadAsync(new LocalRunStore(_root), [shard], Path.Combine(_root, "indexes"), default)).Single();
            _samples.AddRange(index.Samples.Select(sample => new Sample(shard, sample, 400)));
        }
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_root, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Images_are_read_from_shards_that_are_fetched_once()
    {
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        for (var pass = 0; pass < 2; pass++)
        {
            Assert.All(_samples.AsParallel().Select(sample => (sample, Image: cache.ReadImage(sample, default))).ToList(),
                read => Assert.Equal(read.sample.Labels.Key, $"{read.Image[0]}-{read.Image[1]}"));
        }
        Assert.Equal(12, _store.Downloads.Count);
    }

    [Fact]
    public async Task Shards_beyond_the_budget_go_the_longest_unused_first()
    {
        var size = _samples[0].Shard.Bytes;
        await using var cache = new ShardCache(_store, Disk, 3 * size);
        foreach (var sample in _samples)
        {
            cache.ReadImage(sample, default);
            cache.ReadImage(_samples[0], default);
            Assert.True(Directory.GetFiles(Disk).Sum(file => new FileInfo(file).Length) <= 3 * size);
        }
        Assert.Equal(12, _store.Downloads.Count);
    }

    [Fact]
    public async Task Shards_are_fetched_before_their_batch_comes_but_not_all_at_once()
    {
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        using var batches = cache.Follow(_samples.Chunk(2), _ => true).GetEnumerator();
        Assert.True(batches.MoveNext());
        await UntilAsync(() => _store.Downloads.Count >= 4);
        Assert.True(_store.Downloads.Count < 12);
        Assert.Equal(_samples.Take(2), batches.Current);
    }

    [Fact]
    public async Task What_is_ahead_stays_within_the_budget_and_every_batch_comes()
    {
        var size = _samples[0].Shard.Bytes;
        await using var cache = new ShardCache(_store, Disk, 4 * size);
        var seen = new List<Sample>();
        for (var epoch = 0; epoch < 2; epoch++)
        {
            foreach (var batch in cache.Follow(_samples.Chunk(4), _ => true))
            {
                foreach (var sample in batch) Assert.Equal(2, cache.ReadImage(sample, default).Length);
                seen.AddRange(batch);
                Assert.True(Directory.GetFiles(Disk).Length <= 4);
            }
        }
        Assert.Equal([.. _samples, .. _samples], seen);
        // Nothing was fetched twice within a pass.
        Assert.True(_store.Downloads.Count <= 24);
    }

    [Fact]
    public async Task Shards_that_are_not_needed_are_not_fetched()
    {
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        Assert.Equal(12, cache.Follow(_samples.Chunk(2), sample => sample == _samples[5]).Count());
        cache.ReadImage(_samples[5], default);
        Assert.Equal([_samples[5].Shard.Blob], _store.Downloads);
    }

    [Fact]
    public async Task A_shard_that_is_gone_is_named()
    {
        File.Delete(Path.Combine(_root, Containers.Datasets, "train-3.tar"));
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        var failure = Assert.Throws<TrainingException>(() => cache.ReadImage(_samples[6], default));
        Assert.Equal("The shard train-3.tar is gone; ingest the dataset again.", failure.Message);
    }

    [Fact]
    public async Task A_download_that_breaks_reaches_the_reader_and_is_tried_again_by_the_next()
    {
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        _store.Failures = 1;
        Assert.Throws<IOException>(() => cache.ReadImage(_samples[0], default));
        Assert.Equal(2, cache.ReadImage(_samples[0], default).Length);
    }

    [Fact]
    public async Task A_shard_that_is_cut_off_is_named()
    {
        var path = Path.Combine(_root, Containers.Datasets, "train-0.tar");
        using (var file = File.OpenWrite(path)) file.SetLength(600);
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        Assert.Contains("train-0.tar ends inside the image of 0-1",
            Assert.Throws<TrainingException>(() => cache.ReadImage(_samples[1], default)).Message);
    }

    [Fact]
    public async Task Waiting_for_a_shard_can_be_given_up()
    {
        _store.Gate = new TaskCompletionSource();
        await using var cache = new ShardCache(_store, Disk, long.MaxValue);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        Assert.ThrowsAny<OperationCanceledException>(() => cache.ReadImage(_samples[0], stop.Token));
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        for (var i = 0; i < 500 && !holds(); i++) await Task.Delay(10);
        Assert.True(holds());
    }
}

/// <summary>A store that remembers what was downloaded, and can be slow or fail.</summary>
internal sealed class CountingStore(IRunStore store) : IRunStore
{
    private readonly List<string> _downloads = [];
    private int _failures;

    /// <summary>Names in the order in which they were asked for.</summary>
    public IReadOnlyList<string> Downloads
    {
        get
        {
            lock (_downloads) return [.. _downloads];
        }
    }

    /// <summary>Number of the next downloads that fail.</summary>
    public int Failures { set => _failures = value; }

    /// <summary>Receives the path of each file that was downloaded; one at a time.</summary>
    public Action<string>? Downloaded { get; set; }

    /// <summary>Signal that downloads wait for; null for none.</summary>
    public TaskCompletionSource? Gate { get; set; }

    public async Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken)
    {
        lock (_downloads) _downloads.Add(name);
        if (Gate is not null) await Gate.Task.WaitAsync(cancellationToken);
        if (Interlocked.Decrement(ref _failures) >= 0) throw new IOException("the connection broke");
        await store.DownloadAsync(container, name, path, cancellationToken);
        lock (_downloads) Downloaded?.Invoke(path);
    }

    public Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken) =>
        store.ListAsync(container, prefix, cancellationToken);

    public Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken) =>
        store.ReadAsync(container, name, cancellationToken);

    public Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        store.WriteAsync(container, name, content, cancellationToken);

    public Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        store.AppendAsync(container, name, content, cancellationToken);

    public Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken) =>
        store.UploadAsync(container, name, path, cancellationToken);

    public Task DeleteAsync(string container, string name, CancellationToken cancellationToken) =>
        store.DeleteAsync(container, name, cancellationToken);
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Cache of shards on the local disk: fetches shards in the background shortly before they are needed, and removes the least recently used
/// ones when the cache exceeds its budget. Safe for concurrent use.
/// </summary>
/// <param name="folder">Folder of the shards, created here and removed by the caller.</param>
/// <param name="budget">Maximum bytes of the cache; shards that are in use at the same time may take more.</param>
internal sealed class ShardCache(IRunStore store, string folder, long budget) : IAsyncDisposable
{
    private const int FetchedAtOnce = 4;

    // Only labels are in memory for samples ahead, so that a long look-ahead is cheap.
    private const int SamplesAhead = 20_000;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _turns = new(FetchedAtOnce);
    private readonly Dictionary<ShardInfo, Entry> _entries = [];
    private long _bytes, _bytesInUse, _clock;
    private int _fetched;

    /// <summary>Reads an encoded image of a sample, its first; waits while its shard is being fetched.</summary>
    /// <exception cref="TrainingException">The shard is missing, or ends before the image does.</exception>
    public byte[] ReadImage(Sample sample, CancellationToken cancellationToken) =>
        ReadImage(sample, sample.Images[0], cancellationToken);

    /// <summary>Reads one of the encoded images of a sample.</summary>
    /// <inheritdoc cref="ReadImage(Sample, CancellationToken)"/>
    public byte[] ReadImage(Sample sample, ShardImage image, CancellationToken cancellationToken)
    {
        var entry = Take(sample.Shard);
        try
        {
            entry.Fetching.WaitAsync(cancellationToken).GetAwaiter().GetResult();
            return Read(entry.Path, sample, image);
        }
        finally
        {
            Release(entry);
        }
    }

    /// <summary>
    /// Yields the batches and prefetches the shards of later ones, a few at a time and as many as the budget holds. A batch's shards are
    /// kept until the batch after it is requested.
    /// </summary>
    /// <param name="needed">True for a sample whose image will be read.</param>
    public IEnumerable<IReadOnlyList<Sample>> Follow(IEnumerable<IReadOnlyList<Sample>> batches, Func<Sample, bool> needed)
    {
        var ahead = new Queue<(IReadOnlyList<Sample> Batch, Entry[] Shards)>();
        var samples = 0;
        using var source = batches.GetEnumerator();
        var more = source.MoveNext();
        try
        {
            while (true)
            {
                while (more)
                {
                    var batch = source.Current;
                    ShardInfo[] shards = [.. batch.Where(needed).Select(sample => sample.Shard).Distinct()];
                    // One batch at least, whatever the budget: a batch whose shards exceed it could otherwise never be read.
                    if (ahead.Count > 0 && (samples >= SamplesAhead || !HasRoom(shards))) break;
                    ahead.Enqueue((batch, Array.ConvertAll(shards, Take)));
                    samples += batch.Count;
                    more = source.MoveNext();
                }
                if (!ahead.TryPeek(out var first)) yield break;
                yield return first.Batch;
                ahead.Dequeue();
                samples -= first.Batch.Count;
                foreach (var shard in first.Shards) Release(shard);
            }
        }
        finally
        {
            foreach (var shard in ahead.SelectMany(batch => batch.Shards)) Release(shard);
        }
    }

    /// <summary>Cancels the fetches in progress and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] fetching;
        // WhenAny waits without throwing: a cancelled fetch has failed.
        lock (_lock) fetching = [.. _entries.Values.Select(entry => Task.WhenAny(entry.Fetching))];
        await Task.WhenAll(fetching);
        _stop.Dispose();
        _turns.Dispose();
    }

    private static byte[] Read(string path, Sample sample, ShardImage image)
    {
        using var file = File.OpenHandle(path);
        var bytes = new byte[image.Length];
        for (var read = 0; read < bytes.Length;)
        {
            var count = RandomAccess.Read(file, bytes.AsSpan(read), image.Offset + read);
            if (count == 0) throw new TrainingException($"The shard {sample.Shard.Blob} ends inside the image of {sample.Labels.Key}.");
            read += count;
        }
        return bytes;
    }

    private bool HasRoom(ShardInfo[] shards)
    {
        lock (_lock)
        {
            var more = shards.Where(shard => _entries.GetValueOrDefault(shard) is not { Users: > 0 }).Sum(shard => shard.Bytes);
            return _bytesInUse + more <= budget && _entries.Values.Count(entry => !entry.Fetching.IsCompleted) < FetchedAtOnce;
        }
    }

    private Entry Take(ShardInfo shard)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(shard, out var entry))
            {
                MakeRoom(shard.Bytes);
                entry = _entries[shard] = new Entry(shard, Path.Combine(folder, $"{_fetched++:D6}.tar"));
                entry.Fetching = Task.Run(() => FetchAsync(entry), CancellationToken.None);
                _bytes += shard.Bytes;
            }
            // Counted under the lock, since MakeRoom removes whatever has no user.
            if (entry.Users++ == 0) _bytesInUse += shard.Bytes;
            return entry;
        }
    }

    private void Release(Entry entry)
    {
        lock (_lock)
        {
            entry.LastUse = _clock++;
            if (--entry.Users > 0) return;
            _bytesInUse -= entry.Shard.Bytes;
            // A failed fetch is removed, so that the next request for the shard tries again.
            if (entry.Fetching is { IsCompleted: true, IsCompletedSuccessfully: false }) Remove(entry);
            else MakeRoom(0);
        }
    }

    private void MakeRoom(long bytes)
    {
        if (_bytes + bytes <= budget) return;
        foreach (var entry in _entries.Values.Where(e => e.Users == 0 && e.Fetching.IsCompleted).OrderBy(e => e.LastUse).ToList())
        {
            if (_bytes + bytes <= budget) return;
            Remove(entry);
        }
    }

    private void Remove(Entry entry)
    {
        _entries.Remove(entry.Shard);
        _bytes -= entry.Shard.Bytes;
        File.Delete(entry.Path);
    }

    private async Task FetchAsync(Entry entry)
    {
        await _turns.WaitAsync(_stop.Token);
        try
        {
            Directory.CreateDirectory(folder);
            await store.DownloadAsync(Containers.Datasets, entry.Shard.Blob, entry.Path, _stop.Token);
        }
        catch (FileNotFoundException e)
        {
            throw new TrainingException($"The shard {entry.Shard.Blob} is gone; ingest the dataset again.", e);
        }
        finally
        {
            _turns.Release();
        }
    }

    private sealed class Entry(ShardInfo shard, string path)
    {
        public ShardInfo Shard { get; } = shard;

        public string Path { get; } = path;

        public Task Fetching { get; set; } = Task.CompletedTask;

        /// <summary>Number of readers and prefetched batches that use the shard.</summary>
        public int Users { get; set; }

        public long LastUse { get; set; }
    }
}

using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

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

    /// <summary>How many of the next downloads fail.</summary>
    public int Failures { set => _failures = value; }

    /// <summary>What downloads wait for.</summary>
    public TaskCompletionSource? Gate { get; set; }

    public async Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken)
    {
        lock (_downloads) _downloads.Add(name);
        if (Gate is not null) await Gate.Task.WaitAsync(cancellationToken);
        if (Interlocked.Decrement(ref _failures) >= 0) throw new IOException("the connection broke");
        await store.DownloadAsync(container, name, path, cancellationToken);
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

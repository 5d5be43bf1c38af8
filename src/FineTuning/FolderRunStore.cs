namespace FunctionsPipeline.FineTuning;

/// <summary>Run store on the local disk: <c>{root}/{container}/{name}</c>.</summary>
/// <param name="root">Folder in place of the storage account.</param>
public sealed class FolderRunStore(string root) : IRunStore
{
    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(root, container);
        IReadOnlyList<string> names = Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)]
            : [];
        return Task.FromResult(names);
    }

    /// <inheritdoc/>
    public async Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken)
    {
        var path = Locate(container, name);
        return File.Exists(path) ? await File.ReadAllBytesAsync(path, cancellationToken) : null;
    }

    /// <inheritdoc/>
    public Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken)
    {
        var source = Locate(container, name);
        if (!File.Exists(source)) throw new FileNotFoundException($"There is no {name} in the container {container}.", source);
        File.Copy(source, path, overwrite: true);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        // Written as a draft and renamed, so that a reader never sees a partial document.
        var path = Prepare(container, name);
        var draft = path + ".draft";
        await File.WriteAllBytesAsync(draft, content, cancellationToken);
        File.Move(draft, path, overwrite: true);
    }

    /// <inheritdoc/>
    public Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        File.AppendAllBytesAsync(Prepare(container, name), content, cancellationToken);

    /// <inheritdoc/>
    public Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken)
    {
        File.Copy(path, Prepare(container, name), overwrite: true);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string container, string name, CancellationToken cancellationToken)
    {
        var path = Locate(container, name);
        if (File.Exists(path)) File.Delete(path);
        return Task.CompletedTask;
    }

    private string Locate(string container, string name) => Path.Combine(root, container, name);

    private string Prepare(string container, string name)
    {
        var path = Locate(container, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }
}

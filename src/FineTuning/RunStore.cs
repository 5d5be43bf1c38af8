using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Storage that a run reads its shards and base model from and writes its documents and model to. Objects are named as in blob storage, by
/// container and name.
/// </summary>
public interface IRunStore
{
    /// <summary>Lists the names in a container that start with a prefix, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken);

    /// <summary>Reads the complete content of a small document; null when there is none.</summary>
    Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken);

    /// <summary>Copies an object to a local file and replaces an existing file.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Writes a small document and replaces an existing one.</summary>
    Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Appends to a document, which is created if missing.</summary>
    Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Copies a local file to an object and replaces an existing object.</summary>
    Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Removes an object if it exists.</summary>
    Task DeleteAsync(string container, string name, CancellationToken cancellationToken);
}

/// <summary>Run store on the local disk: <c>{root}/{container}/{name}</c>.</summary>
/// <param name="root">Folder in place of the storage account.</param>
public sealed class LocalRunStore(string root) : IRunStore
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

/// <summary>
/// Downloads model folders from the models container and uploads them. A folder is complete once its <c>complete.json</c> exists.
/// </summary>
public static class ModelTransfer
{
    /// <summary>Downloads a model unless the cache contains it.</summary>
    /// <param name="cache">
    /// Folder with a sub-folder for each model, named by the model's version and the hash of its <c>complete.json</c>, since two storage
    /// accounts may have different models of the same version.
    /// </param>
    /// <returns>The local folder of the model.</returns>
    /// <exception cref="TrainingException">There is no complete model of that name.</exception>
    public static async Task<string> DownloadAsync(IRunStore store, string version, string cache, CancellationToken cancellationToken)
    {
        var complete = await store.ReadAsync(Containers.Models, BlobNames.ModelComplete(version), cancellationToken)
            ?? throw new TrainingException(
                $"There is no complete model {version}: {Containers.Models}/{BlobNames.ModelComplete(version)} is missing.");
        var folder = Path.Combine(cache, $"{version}-{Convert.ToHexStringLower(SHA256.HashData(complete))[..16]}");
        var done = Path.Combine(folder, StoredFolder.CompleteFile);
        if (File.Exists(done)) return folder;
        var prefix = version + "/";
        foreach (var name in await store.ListAsync(Containers.Models, prefix, cancellationToken))
        {
            if (name == BlobNames.ModelComplete(version)) continue;
            var path = Path.Combine(folder, Path.Combine(name[prefix.Length..].Split('/')));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await store.DownloadAsync(Containers.Models, name, path, cancellationToken);
        }
        // Written last: the cache must not take an interrupted download for a complete model.
        await File.WriteAllBytesAsync(done, complete, cancellationToken);
        return folder;
    }

    /// <summary>Uploads a model folder; <c>complete.json</c> is removed first and written last.</summary>
    public static Task UploadAsync(IRunStore store, string folder, string version, CancellationToken cancellationToken) =>
        StoredFolder.UploadAsync(store, Containers.Models, version, folder, cancellationToken);
}

/// <summary>
/// Uploads and downloads folders of files. A folder is complete once its <c>complete.json</c> exists, a document with the SHA-256 of every
/// file that is written last and removed first.
/// </summary>
internal static class StoredFolder
{
    /// <summary>Name of the document that marks a folder as complete.</summary>
    public const string CompleteFile = "complete.json";

    private sealed record Complete(IReadOnlyDictionary<string, string> Files);

    /// <summary>Uploads a local folder and replaces files of the same names.</summary>
    /// <param name="name">Name of the folder in the container, without a trailing slash.</param>
    public static async Task UploadAsync(IRunStore store, string container, string name, string folder, CancellationToken cancellationToken)
    {
        // Removed first: an interrupted upload must not leave new files under an old mark of completeness.
        await store.DeleteAsync(container, $"{name}/{CompleteFile}", cancellationToken);
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => (Path: path, Name: Path.GetRelativePath(folder, path).Replace('\\', '/')))
            .Where(f => f.Name != CompleteFile).ToList();
        var sums = new Dictionary<string, string>();
        foreach (var file in files)
        {
            await store.UploadAsync(container, $"{name}/{file.Name}", file.Path, cancellationToken);
            sums[file.Name] = await Sha256Async(file.Path, cancellationToken);
        }
        var complete = JsonSerializer.SerializeToUtf8Bytes(new Complete(sums), PipelineJson.Options);
        await store.WriteAsync(container, $"{name}/{CompleteFile}", complete, cancellationToken);
    }

    /// <summary>Downloads a complete folder that was written by <see cref="UploadAsync"/>.</summary>
    /// <returns>False when the folder is not complete, or a file does not have its recorded SHA-256.</returns>
    public static async Task<bool> DownloadAsync(
        IRunStore store, string container, string name, string folder, CancellationToken cancellationToken)
    {
        var document = await store.ReadAsync(container, $"{name}/{CompleteFile}", cancellationToken);
        if (document is null || JsonSerializer.Deserialize<Complete>(document, PipelineJson.Options) is not { } complete) return false;
        Directory.CreateDirectory(folder);
        foreach (var (file, sum) in complete.Files)
        {
            var path = Path.Combine(folder, file);
            try
            {
                await store.DownloadAsync(container, $"{name}/{file}", path, cancellationToken);
            }
            catch (FileNotFoundException)
            {
                return false;
            }
            if (await Sha256Async(path, cancellationToken) != sum) return false;
        }
        return true;
    }

    /// <summary>Removes a folder with everything below it.</summary>
    public static async Task DeleteAsync(IRunStore store, string container, string name, CancellationToken cancellationToken)
    {
        // The mark goes first: an interrupted removal must not leave a folder that counts as complete.
        await store.DeleteAsync(container, $"{name}/{CompleteFile}", cancellationToken);
        foreach (var file in await store.ListAsync(container, $"{name}/", cancellationToken))
            await store.DeleteAsync(container, file, cancellationToken);
    }

    private static async Task<string> Sha256Async(string path, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
    }
}

using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

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
    public static async Task<bool> DownloadAsync(IRunStore store, string container, string name, string folder, CancellationToken cancellationToken)
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

using System.Security.Cryptography;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

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
                $"There is no whole model {version}: {Containers.Models}/{BlobNames.ModelComplete(version)} is missing.");
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

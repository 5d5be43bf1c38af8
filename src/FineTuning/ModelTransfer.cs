using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Brings model folders from the models container to the disk and back. A folder counts as whole once its <c>complete.json</c> is there.</summary>
public static class ModelTransfer
{
    private const string CompleteFile = "complete.json";

    /// <summary>Downloads a model, unless this folder has it already.</summary>
    /// <param name="cache">Folder that keeps one sub-folder for each version.</param>
    /// <returns>The local folder of the model.</returns>
    /// <exception cref="TrainingException">There is no whole model of that name.</exception>
    public static async Task<string> DownloadAsync(IRunStore store, string version, string cache, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(cache, version);
        var done = Path.Combine(folder, CompleteFile);
        if (File.Exists(done)) return folder;
        var prefix = version + "/";
        var names = await store.ListAsync(Containers.Models, prefix, cancellationToken);
        var complete = BlobNames.ModelComplete(version);
        if (!names.Contains(complete))
            throw new TrainingException($"There is no whole model {version}: {Containers.Models}/{complete} is missing.");
        foreach (var name in names.Where(n => n != complete).Append(complete))
        {
            var path = Path.Combine(folder, Path.Combine(name[prefix.Length..].Split('/')));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await store.DownloadAsync(Containers.Models, name, path, cancellationToken);
        }
        return folder;
    }

    /// <summary>Uploads a model folder; <c>complete.json</c> is removed first and written last.</summary>
    public static async Task UploadAsync(IRunStore store, string folder, string version, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(Containers.Models, BlobNames.ModelComplete(version), cancellationToken);
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => (Path: path, Name: Path.GetRelativePath(folder, path).Replace('\\', '/'))).Where(f => f.Name != CompleteFile).ToList();
        foreach (var (path, name) in files) await store.UploadAsync(Containers.Models, $"{version}/{name}", path, cancellationToken);
        var complete = JsonSerializer.SerializeToUtf8Bytes(new { files = files.ToDictionary(f => f.Name, f => new FileInfo(f.Path).Length) }, PipelineJson.Options);
        await store.WriteAsync(Containers.Models, BlobNames.ModelComplete(version), complete, cancellationToken);
    }
}

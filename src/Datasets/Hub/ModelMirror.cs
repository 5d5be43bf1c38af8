using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Hub;

/// <summary>Progress of mirroring a checkpoint, in bytes.</summary>
public sealed record MirrorProgress(long Bytes, long TotalBytes);

/// <summary>Copies base checkpoints from the Hub to blob storage, once per commit.</summary>
public sealed class ModelMirror(HubClient hub, BlobServiceClient blobs)
{
    private static readonly string[] Extensions = [".json", ".safetensors", ".model", ".txt"];
    private readonly HubFileCopy _copy = new(hub);
    private readonly BlobContainerClient _container = blobs.GetBlobContainerClient(Containers.Models);

    /// <summary>Resolves the request's revision to a commit.</summary>
    /// <exception cref="RequestException">The repository or revision does not exist or is not accessible.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<string> ResolveCommitAsync(BaseModelRequest request, CancellationToken cancellationToken = default)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Model, request.Repo, request.Revision, cancellationToken);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw e.ToRequestException("baseModel", request.Repo, request.Revision);
        }
    }

    /// <summary>
    /// Copies a checkpoint's configuration, tokenizer, weights and licence. Skips complete files and resumes partial ones of an earlier
    /// attempt; does nothing when the folder has <c>complete.json</c>.
    /// </summary>
    /// <returns>Name of the folder in <see cref="Containers.Models"/>.</returns>
    /// <exception cref="RequestException">The repository has no usable checkpoint.</exception>
    /// <exception cref="HubException">The Hub cannot be reached, or a file's checksum does not match.</exception>
    public async Task<string> MirrorAsync(string repo, string commit, IProgress<MirrorProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var folder = BlobNames.BaseModel(repo, commit);
        var complete = _container.GetBlobClient(BlobNames.ModelComplete(folder));
        if (await complete.ExistsAsync(cancellationToken)) return folder;
        var files = (await hub.ListFilesAsync(HubRepositoryKind.Model, repo, commit, cancellationToken)).Where(IsWanted).ToList();
        if (!files.Any(f => f.Path == "config.json") || !files.Any(f => f.Path.EndsWith(".safetensors", StringComparison.Ordinal)))
        {
            throw new RequestException("baseModel.repo", 400,
                $"{repo} has no config.json or no *.safetensors: it is no checkpoint that can be fine-tuned");
        }
        var (done, total) = (0L, files.Sum(f => f.Size));
        foreach (var file in files)
        {
            var before = done;
            var within = progress is null ? null : new FileProgress(bytes => progress.Report(new MirrorProgress(before + bytes, total)));
            await _copy.CopyAsync(HubRepositoryKind.Model, repo, commit, file, _container.GetBlockBlobClient($"{folder}/{file.Path}"),
                within, cancellationToken);
            done += file.Size;
        }
        await complete.CreateJsonAsync(new { repo, commit, files }, PipelineJson.Options, cancellationToken);
        return folder;
    }

    private static bool IsWanted(HubFileInfo file) =>
        (Extensions.Contains(Path.GetExtension(file.Path))
            || Path.GetFileName(file.Path).StartsWith("LICENSE", StringComparison.OrdinalIgnoreCase))
        && !file.Path.Split('/').Contains("..");

    // Progress<T> posts its reports asynchronously, possibly from other threads and out of order.
    private sealed class FileProgress(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}

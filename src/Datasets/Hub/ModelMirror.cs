using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>How far a checkpoint has been brought over, in bytes.</summary>
public sealed record MirrorProgress(long Bytes, long TotalBytes);

/// <summary>Brings base checkpoints from the Hub to blob storage, once for each commit.</summary>
public sealed class ModelMirror(HubClient hub, BlobServiceClient blobs)
{
    private static readonly string[] Extensions = [".json", ".safetensors", ".model", ".txt"];
    private readonly HubFileCopy _copy = new(hub);
    private readonly BlobContainerClient _container = blobs.GetBlobContainerClient(Containers.Models);

    /// <summary>The commit that the request stands for.</summary>
    /// <exception cref="RequestException">The repository or revision does not exist or cannot be seen.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<string> ResolveCommitAsync(BaseModelRequest request, CancellationToken cancellation = default)
    {
        try
        {
            return await hub.GetCommitAsync(HubRepositoryKind.Model, request.Repo, request.Revision, cancellation);
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw HubRefusal.For("baseModel", request.Repo, request.Revision, e);
        }
    }

    /// <summary>
    /// Copies a checkpoint's configuration, tokenizer, weights and licence. Files that are there are kept, and so is what an earlier try
    /// has fetched of one; a folder with <c>complete.json</c> is not looked at.
    /// </summary>
    /// <returns>The folder in <see cref="Containers.Models"/>.</returns>
    /// <exception cref="RequestException">The repository has no checkpoint that can be used.</exception>
    /// <exception cref="HubException">The Hub cannot be reached, or a file is not what the Hub says it is.</exception>
    public async Task<string> MirrorAsync(string repo, string commit, IProgress<MirrorProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var folder = BlobNames.BaseModel(repo, commit);
        var complete = _container.GetBlobClient(BlobNames.ModelComplete(folder));
        if (await complete.ExistsAsync(cancellation)) return folder;
        var files = (await hub.ListFilesAsync(HubRepositoryKind.Model, repo, commit, cancellation)).Where(IsWanted).ToList();
        if (!files.Any(f => f.Path == "config.json") || !files.Any(f => f.Path.EndsWith(".safetensors", StringComparison.Ordinal)))
            throw new RequestException("baseModel.repo", 400,
                $"{repo} has no config.json or no *.safetensors: it is no checkpoint that can be fine-tuned");
        var (done, total) = (0L, files.Sum(f => f.Size));
        foreach (var file in files)
        {
            var before = done;
            var within = progress is null ? null : new FileProgress(bytes => progress.Report(new MirrorProgress(before + bytes, total)));
            await _copy.CopyAsync(HubRepositoryKind.Model, repo, commit, file, _container.GetBlockBlobClient($"{folder}/{file.Path}"),
                within, cancellation);
            done += file.Size;
        }
        await complete.CreateJsonAsync(new { repo, commit, files }, PipelineJson.Options, cancellation);
        return folder;
    }

    private static bool IsWanted(HubFileInfo file) =>
        (Extensions.Contains(Path.GetExtension(file.Path))
            || Path.GetFileName(file.Path).StartsWith("LICENSE", StringComparison.OrdinalIgnoreCase))
        && !file.Path.Split('/').Contains("..");

    // Progress<T> would report later, from another thread, and perhaps in another order.
    private sealed class FileProgress(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}

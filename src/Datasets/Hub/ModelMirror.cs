using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>How far a checkpoint has been brought over, in bytes.</summary>
public sealed record MirrorProgress(long Bytes, long TotalBytes);

/// <summary>Brings base checkpoints from the Hub to blob storage, once for each commit.</summary>
public sealed class ModelMirror(HubClient hub, BlobServiceClient blobs)
{
    private static readonly string[] Extensions = [".json", ".safetensors", ".model", ".txt"];
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
    /// Copies a checkpoint's configuration, tokenizer, weights and licence. Files that are there are kept; a folder with
    /// <c>complete.json</c> is not looked at.
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
            await CopyAsync(repo, commit, folder, file, cancellation);
            progress?.Report(new MirrorProgress(done += file.Size, total));
        }
        var document = JsonSerializer.SerializeToUtf8Bytes(new { repo, commit, files }, PipelineJson.Options);
        await complete.CreateAsync(new MemoryStream(document), "application/json", cancellation);
        return folder;
    }

    private async Task CopyAsync(string repo, string commit, string folder, HubFileInfo file, CancellationToken cancellation)
    {
        var blob = _container.GetBlobClient($"{folder}/{file.Path}");
        // A blob appears only when its upload is whole, so one that is there is whole.
        if (await blob.ExistsAsync(cancellation)) return;
        await using var source = await hub.OpenAsync(HubRepositoryKind.Model, repo, commit, file.Path, cancellation);
        if (file.Sha256 is { } expected)
        {
            await using var checkedCopy = TemporaryFile.Create();
            await source.CopyToAsync(checkedCopy, cancellation);
            checkedCopy.Position = 0;
            var actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(checkedCopy, cancellation));
            if (actual != expected)
                throw new HubException(HubError.Unavailable, $"{repo}/{file.Path} arrived with SHA-256 {actual}; the Hub says {expected}");
            checkedCopy.Position = 0;
            await blob.CreateAsync(checkedCopy, "application/octet-stream", cancellation);
            return;
        }
        await blob.CreateAsync(source, "application/octet-stream", cancellation);
    }

    private static bool IsWanted(HubFileInfo file) =>
        (Extensions.Contains(Path.GetExtension(file.Path))
            || Path.GetFileName(file.Path).StartsWith("LICENSE", StringComparison.OrdinalIgnoreCase))
        && !file.Path.Split('/').Contains("..");
}

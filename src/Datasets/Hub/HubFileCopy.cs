using Azure.Storage.Blobs.Specialized;
namespace FunctionsPipeline.Datasets;
public sealed class HubFileCopy(HubClient hub)
{
    public async Task<bool> CopyAsync(HubRepositoryKind kind, string repo, string commit, HubFileInfo file, BlockBlobClient target, IProgress<long>? progress, CancellationToken cancellation)
    {
        await using var s = await hub.OpenAsync(kind, repo, commit, file.Path, cancellation);
        await target.UploadAsync(s, cancellationToken: cancellation);
        return true;
    }
}

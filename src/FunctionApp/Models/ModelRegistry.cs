using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Which model serves: <c>models/current.json</c>, moved only from the version that the decision was made on.</summary>
public sealed class ModelRegistry(BlobServiceClient blobs)
{
    /// <summary>The serving model; null when there is none yet.</summary>
    public async Task<CurrentModel?> CurrentAsync(CancellationToken cancellation) =>
        (await Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellation))?.Document;

    /// <summary>Lets a model serve if <see cref="PublishRule"/> says so. Publishing the same run again changes nothing.</summary>
    /// <exception cref="PermanentFailureException">The model's folder is not whole.</exception>
    public async Task<PublishDecision> PublishAsync(CurrentModel candidate, CancellationToken cancellation)
    {
        if (!await Blob(BlobNames.ModelComplete(candidate.Version)).ExistsAsync(cancellation))
            throw new PermanentFailureException($"The model {candidate.Version} is not whole: models/{BlobNames.ModelComplete(candidate.Version)} is missing.");
        while (true)
        {
            var current = await Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellation);
            var decision = PublishRule.Decide(current?.Document, candidate);
            if (!decision.Published || current?.Document.Run == candidate.Run) return decision;
            var unchanged = current is { } read ? new BlobRequestConditions { IfMatch = read.ETag } : JsonBlobs.New;
            if (await Blob(BlobNames.CurrentModel).WriteJsonAsync(candidate, unchanged, cancellation)) return decision;
        }
    }

    private BlobClient Blob(string name) => blobs.GetBlobContainerClient(Containers.Models).GetBlobClient(name);
}

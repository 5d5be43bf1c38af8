using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>
/// The serving model in <c>models/current.json</c>, which is replaced only if it is still the version that the decision was based on.
/// </summary>
public sealed class ModelRegistry(BlobServiceClient blobs)
{
    /// <summary>Reads the serving model; null when there is none yet.</summary>
    public async Task<CurrentModel?> CurrentAsync(CancellationToken cancellationToken) =>
        (await Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellationToken))?.Document;

    /// <summary>Publishes a model if <see cref="PublishRule"/> allows it. Publishing the same run again changes nothing.</summary>
    /// <exception cref="PermanentFailureException">The model's folder is not complete.</exception>
    public async Task<PublishDecision> PublishAsync(CurrentModel candidate, CancellationToken cancellationToken)
    {
        if (!await Blob(BlobNames.ModelComplete(candidate.Version)).ExistsAsync(cancellationToken))
            throw new PermanentFailureException($"The model {candidate.Version} is not whole: models/{BlobNames.ModelComplete(candidate.Version)} is missing.");
        while (true)
        {
            var current = await Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellationToken);
            var decision = PublishRule.Decide(current?.Document, candidate);
            if (!decision.Published || current?.Document.Run == candidate.Run) return decision;
            var unchanged = current is { } read ? new BlobRequestConditions { IfMatch = read.ETag } : JsonBlobs.New;
            if (await Blob(BlobNames.CurrentModel).WriteJsonAsync(candidate, unchanged, cancellationToken)) return decision;
        }
    }

    private BlobClient Blob(string name) => blobs.GetBlobContainerClient(Containers.Models).GetBlobClient(name);
}

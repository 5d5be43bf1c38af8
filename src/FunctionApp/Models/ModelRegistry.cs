using System.Globalization;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
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
        var complete = BlobNames.ModelComplete(candidate.Version);
        if (!await Blob(complete).ExistsAsync(cancellationToken))
            throw new PermanentFailureException($"The model {candidate.Version} is incomplete: models/{complete} is missing.");
        while (true)
        {
            // Repeats only when current.json was replaced in between, so that the number of runs that publish at once bounds the loop.
            var current = await Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellationToken);
            var decision = PublishRule.Decide(current?.Document, candidate);
            if (!decision.Published || current?.Document.Run == candidate.Run) return decision;
            var unchanged = current is { } read ? new BlobRequestConditions { IfMatch = read.ETag } : JsonBlobs.New;
            if (await Blob(BlobNames.CurrentModel).WriteJsonAsync(candidate, unchanged, cancellationToken)) return decision;
        }
    }

    private BlobClient Blob(string name) => blobs.GetBlobContainerClient(Containers.Models).GetBlobClient(name);
}

/// <summary>Decides if a candidate replaces the serving model.</summary>
internal static class PublishRule
{
    /// <summary>
    /// Publishes a candidate when there is no serving model, when the serving model was validated on other data, or when the candidate's
    /// loss on the same data is no worse.
    /// </summary>
    public static PublishDecision Decide(CurrentModel? current, CurrentModel candidate)
    {
        if (!double.IsFinite(candidate.ValidationLoss))
            return new PublishDecision(false, $"its validation loss is {Loss(candidate)}");
        if (current is null)
            return new PublishDecision(true, $"it is the first model (validation loss {Loss(candidate)})");
        if (current.Run == candidate.Run)
            return new PublishDecision(true, $"it serves already (validation loss {Loss(candidate)})");
        if (current.Dataset != candidate.Dataset)
            return new PublishDecision(true, $"{current.Version} was validated on other data (validation loss {Loss(candidate)})");
        return candidate.ValidationLoss <= current.ValidationLoss
            ? new PublishDecision(true, $"its validation loss {Loss(candidate)} is no worse than {Loss(current)} of {current.Version}")
            : new PublishDecision(
                false, $"its validation loss {Loss(candidate)} is worse than {Loss(current)} of {current.Version}, which keeps serving");
    }

    private static string Loss(CurrentModel model) => model.ValidationLoss.ToString("0.####", CultureInfo.InvariantCulture);
}

/// <summary>Outcome of publishing a model, with its reason.</summary>
public sealed record PublishDecision(bool Published, string Reason);

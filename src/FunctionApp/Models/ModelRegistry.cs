using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>
/// The serving model in <c>models/current.json</c>, which is replaced only if it is still the version that the decision was based on. Every
/// change is added to the history.
/// </summary>
public sealed class ModelRegistry(BlobServiceClient blobs)
{
    private readonly ModelHistory _history = new(blobs);

    /// <summary>Reads the serving model; null when there is none yet.</summary>
    public async Task<CurrentModel?> CurrentAsync(CancellationToken cancellationToken) => (await ReadAsync(cancellationToken))?.Document;

    /// <summary>Reads all changes of the serving model, the oldest first.</summary>
    public Task<IReadOnlyList<ModelChange>> HistoryAsync(CancellationToken cancellationToken) => _history.ReadAsync(cancellationToken);

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
            var current = await ReadAsync(cancellationToken);
            var decision = PublishRule.Decide(current?.Document, candidate);
            if (!decision.Published) return decision;
            if (current?.Document is { } serving && serving.Run == candidate.Run)
            {
                await RecordAsync(serving, cancellationToken);
                return decision;
            }
            if (await TryReplaceAsync(current, candidate with { Reason = decision.Reason }, cancellationToken) is not null) return decision;
        }
    }

    /// <summary>Makes a complete model serve, whatever the serving one's figures. Nothing changes when it serves already.</summary>
    /// <param name="candidate">The model, with the reason of the change.</param>
    public async Task<CurrentModel> ActivateAsync(CurrentModel candidate, CancellationToken cancellationToken)
    {
        while (true)
        {
            var current = await ReadAsync(cancellationToken);
            if (current?.Document is { } serving && serving.Version == candidate.Version)
            {
                await RecordAsync(serving, cancellationToken);
                return serving;
            }
            if (await TryReplaceAsync(current, candidate, cancellationToken) is { } replaced) return replaced;
        }
    }

    /// <summary>Replaces the serving model. Null when it is no longer the one that was read.</summary>
    private async Task<CurrentModel?> TryReplaceAsync(
        (CurrentModel Document, ETag ETag)? current, CurrentModel candidate, CancellationToken cancellationToken)
    {
        var next = candidate with { Before = current?.Document.Version };
        if (current is { Document: var serving })
        {
            // Whoever wrote current.json may have died before the line was added, and the document is about to be replaced.
            await RecordAsync(serving, cancellationToken);
            // Clocks differ between machines, but the times of publication order the models.
            if (next.PublishedAt <= serving.PublishedAt) next = next with { PublishedAt = serving.PublishedAt.AddTicks(1) };
        }
        var unchanged = current is { } read ? new BlobRequestConditions { IfMatch = read.ETag } : JsonBlobs.New;
        if (!await Blob(BlobNames.CurrentModel).WriteJsonAsync(next, unchanged, cancellationToken)) return null;
        await RecordAsync(next, cancellationToken);
        return next;
    }

    // Documents of older versions of the app have no reason, and no line.
    private Task RecordAsync(CurrentModel model, CancellationToken cancellationToken) => model.Reason is { } reason
        ? _history.AddAsync(new ModelChange(model.PublishedAt, model.Version, model.Before, reason), cancellationToken)
        : Task.CompletedTask;

    private Task<(CurrentModel Document, ETag ETag)?> ReadAsync(CancellationToken cancellationToken) =>
        Blob(BlobNames.CurrentModel).ReadJsonAsync<CurrentModel>(cancellationToken);

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

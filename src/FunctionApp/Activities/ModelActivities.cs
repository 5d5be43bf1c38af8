using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Models;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

public sealed record PublishModelInput(TrainingResult Result);

/// <summary>Activities that bring models into storage: base models from the Hub, and fine-tuned ones into service.</summary>
public sealed class ModelActivities(ModelMirror mirror, ModelRegistry models, ModelCatalog catalog, TimeProvider time)
{
    /// <summary>Copies a base checkpoint from the Hub into storage, once per commit.</summary>
    /// <returns>The checkpoint's folder in container <see cref="Containers.Models"/>.</returns>
    [Function(nameof(MirrorBaseModel))]
    public Task<string> MirrorBaseModel([ActivityTrigger] BaseModelRequest model, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => mirror.MirrorAsync(model.Repo, model.Revision, null, cancellationToken));

    /// <summary>Publishes a run's model if it is no worse than the serving one.</summary>
    [Function(nameof(PublishModel))]
    public async Task<PublishDecision> PublishModel([ActivityTrigger] PublishModelInput input, CancellationToken cancellationToken)
    {
        if (input.Result is not { Model: { } version, FineTuned: not null })
            throw new PermanentFailureException($"The result of run {input.Result.Run} names no model or no validation metrics.");
        var candidate = await catalog.CandidateAsync(version, time.GetUtcNow(), cancellationToken);
        return await models.PublishAsync(candidate, cancellationToken);
    }
}

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Models;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Dataset">Report of the dataset that the run was validated on.</param>
public sealed record PublishModelInput(IngestReport Dataset, TrainingResult Result);

/// <summary>Activities that bring models into storage: base models from the Hub, and fine-tuned ones into service.</summary>
public sealed class ModelActivities(ModelMirror mirror, ModelRegistry models, TimeProvider time)
{
    /// <summary>Copies a base checkpoint from the Hub into storage, once per commit.</summary>
    /// <returns>The checkpoint's folder in container <see cref="Containers.Models"/>.</returns>
    [Function(nameof(MirrorBaseModel))]
    public Task<string> MirrorBaseModel([ActivityTrigger] BaseModelRequest model, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => mirror.MirrorAsync(model.Repo, model.Revision, null, cancellationToken));

    /// <summary>Publishes a run's model if it is no worse than the serving one.</summary>
    [Function(nameof(PublishModel))]
    public Task<PublishDecision> PublishModel([ActivityTrigger] PublishModelInput input, CancellationToken cancellationToken)
    {
        var (dataset, result) = input;
        if (result is not { Model: { } version, FineTuned: { } metrics })
            throw new PermanentFailureException($"The result of run {result.Run} names no model or no validation metrics.");
        return models.PublishAsync(
            new CurrentModel
            {
                Version = version,
                Run = result.Run,
                ValidationLoss = metrics.Loss,
                Dataset = new DatasetBlobs(dataset.Repo, dataset.Commit, dataset.View).ViewPrefix,
                PublishedAt = time.GetUtcNow(),
            },
            cancellationToken);
    }
}

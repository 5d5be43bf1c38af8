using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Models;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Dataset">Report of the dataset that the run was validated on.</param>
public sealed record PublishModelInput(IngestReport Dataset, RunResult Result);

/// <summary>Publishes a run's model if it is no worse than the serving one.</summary>
public sealed class PublishModel(ModelRegistry models, TimeProvider time)
{
    [Function(nameof(PublishModel))]
    public Task<PublishDecision> RunAsync([ActivityTrigger] PublishModelInput input, CancellationToken cancellationToken)
    {
        var (dataset, result) = input;
        if (result is not { Model: { } version, FineTuned: { } metrics })
            throw new PermanentFailureException($"The result of run {result.Run} names no model or no validation metrics.");
        return models.PublishAsync(new CurrentModel
        {
            Version = version,
            Run = result.Run,
            ValidationLoss = metrics.Loss,
            Dataset = new DatasetBlobs(dataset.Repo, dataset.Commit, dataset.View).ViewPrefix,
            PublishedAt = time.GetUtcNow(),
        }, cancellationToken);
    }
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Writes <c>runs/{run}/predictions.jsonl</c>, the answers of each evaluation by one append.</summary>
internal sealed class PredictionsFile(IRunStore store, string run) : ITracker
{
    private readonly JsonLinesFile<EvaluatedAnswer> _file = new(store, new RunBlobs(run).Predictions);

    /// <inheritdoc/>
    public void Record(MetricsLine line)
    {
    }

    /// <inheritdoc/>
    public void Record(EvaluationStep evaluation) => _file.Add(evaluation.Answers);

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) => _file.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    // A run that resumes from a checkpoint repeats every evaluation but the base model's.
    public Task CutAsync(int? step, CancellationToken cancellationToken) =>
        _file.CutAsync(answer => step is not null && answer.Model == EvaluatedAnswer.BaseModel, cancellationToken);
}

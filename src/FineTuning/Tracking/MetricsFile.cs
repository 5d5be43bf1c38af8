using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Writes <c>runs/{run}/metrics.jsonl</c>.</summary>
internal sealed class MetricsFile(IRunStore store, string run) : ITracker
{
    private readonly JsonLinesFile<MetricsLine> _file = new(store, new RunBlobs(run).Metrics);

    /// <inheritdoc/>
    public void Record(MetricsLine line) => _file.Add(line);

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) => _file.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public Task CutAsync(int? step, CancellationToken cancellationToken) => _file.CutAsync(line => line.Step <= step, cancellationToken);
}

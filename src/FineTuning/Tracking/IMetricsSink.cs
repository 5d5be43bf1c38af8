using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Somewhere that a run's metrics go.</summary>
internal interface IMetricsSink : IRunDocument
{
    /// <summary>Takes a line, without waiting for anything.</summary>
    void Record(MetricsLine line);

    /// <summary>Takes how the run ended; null when it was stopped. The last call but for a flush.</summary>
    Task EndAsync(RunResult? result, CancellationToken cancellationToken);
}

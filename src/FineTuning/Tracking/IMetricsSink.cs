using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>Receiver of a run's metrics.</summary>
internal interface IMetricsSink : IRunDocument
{
    /// <summary>Queues a line without blocking.</summary>
    void Record(MetricsLine line);

    /// <summary>Records the end of the run, with null for a stopped run. Only a flush may follow.</summary>
    Task EndAsync(RunResult? result, CancellationToken cancellationToken);
}

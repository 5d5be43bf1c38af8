namespace FunctionsPipeline.FineTuning;

/// <summary>Part of a run's record that the computing thread fills and a background task writes.</summary>
internal interface IRunDocument
{
    /// <summary>Writes what is pending. Never called concurrently; called again after a failure.</summary>
    Task FlushAsync(CancellationToken cancellationToken);
}

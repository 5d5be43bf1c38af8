namespace FunctionsPipeline.FineTuning;

/// <summary>A part of a run's record that is filled by the thread that computes, and written from the background.</summary>
internal interface IRunDocument
{
    /// <summary>Writes what is not written yet. Never called twice at the same time; called again after it failed.</summary>
    Task FlushAsync(CancellationToken cancellationToken);
}

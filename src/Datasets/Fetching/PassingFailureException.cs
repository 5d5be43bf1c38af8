using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Thrown for a transient failure of a download, which a retry may fix.</summary>
/// <param name="reason">One of <see cref="Rejection"/>, recorded when retries are used up.</param>
/// <param name="detail">Human-readable details of the failure.</param>
internal sealed class PassingFailureException(string reason, string detail, Exception? cause = null) : Exception(detail, cause)
{
    public string Reason => reason;

    /// <summary>Pause that the server asks for before a retry.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

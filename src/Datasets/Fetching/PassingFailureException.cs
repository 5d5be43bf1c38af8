using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>A download failed, but might not the next time.</summary>
/// <param name="reason">One of <see cref="Rejection"/>, should it not be tried again.</param>
/// <param name="detail">What exactly went wrong, for a person.</param>
internal sealed class PassingFailureException(string reason, string detail, Exception? cause = null) : Exception(detail, cause)
{
    public string Reason => reason;

    /// <summary>How long the server asks to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

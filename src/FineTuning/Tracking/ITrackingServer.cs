using System.Net;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Speaks a tracking server's protocol for one run. <see cref="ServerTracker"/> calls one method at a time, on a background task. The
/// methods make each call to the server through a <see cref="PersistentCall"/>.
/// </summary>
internal interface ITrackingServer : IDisposable
{
    /// <summary>The tool's name, as in <see cref="TrackerStatus.Name"/>.</summary>
    string Name { get; }

    /// <summary>URL of the server, for messages.</summary>
    Uri Url { get; }

    /// <summary>URL of the run's page; null before <see cref="StartAsync"/>, or when the server has none. Read on any thread.</summary>
    string? Page { get; }

    /// <summary>Longest time without a <see cref="SendAsync"/>; infinite where the server does not watch for silent runs.</summary>
    TimeSpan LongestSilence => Timeout.InfiniteTimeSpan;

    /// <summary>Creates the run on the server, or finds the one of an earlier attempt.</summary>
    /// <returns>False when the server refused it for good: the run is not tracked.</returns>
    Task<bool> StartAsync(PersistentCall persist);

    /// <summary>Sends what was recorded since the last call.</summary>
    /// <param name="records">In the order of their recording; empty after <see cref="LongestSilence"/>.</param>
    Task SendAsync(IReadOnlyList<TrackedRecord> records, PersistentCall persist);

    /// <summary>Ends the run on the server.</summary>
    /// <param name="result">Null for a stopped run, which a later attempt may resume.</param>
    Task EndAsync(TrainingResult? result, PersistentCall persist);
}

/// <summary>
/// Repeats a call to a tracking server until it succeeds or is refused for good; while it fails, the tracker's status tells the reason.
/// </summary>
/// <param name="call">
/// Throws <see cref="TrackingException"/> or <see cref="HttpRequestException"/>. Must be repeatable, also after it succeeded and only its
/// response was lost. Its token ends it at its time limit; HTTP clients need none of their own.
/// </param>
/// <param name="timeLimit">Time that the call may take, such as an upload; null for a short call.</param>
/// <param name="attempts">Maximum number of calls.</param>
/// <returns>False when the call was refused for good, or failed at every attempt.</returns>
/// <exception cref="OperationCanceledException">The time limit at the end of the run has passed.</exception>
internal delegate Task<bool> PersistentCall(Func<CancellationToken, Task> call, TimeSpan? timeLimit = null, int attempts = int.MaxValue);

/// <summary>A line of metrics, or the gallery after a step: one of both is null.</summary>
/// <param name="At">Time of the recording.</param>
internal readonly record struct TrackedRecord(DateTimeOffset At, MetricsLine? Line, GalleryStep? Gallery);

/// <summary>Thrown when a tracking server refuses a request.</summary>
/// <param name="message">What was asked and answered.</param>
/// <param name="retryAfter">Time to wait before a retry, as the server asked for; null when it did not.</param>
internal class TrackingException(HttpStatusCode status, string message, TimeSpan? retryAfter = null) : Exception(message)
{
    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>True when the same request may succeed later.</summary>
    public virtual bool IsPassing => status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout
        or >= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented;
}

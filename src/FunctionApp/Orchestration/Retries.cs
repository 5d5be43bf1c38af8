using FunctionsPipeline.Contracts;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Retry policies of activities.</summary>
internal static class Retries
{
    private const int Attempts = 5;
    private const double Backoff = 2.5;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);

    /// <summary>Up to five attempts within about a minute; failures that retrying cannot change are not retried.</summary>
    /// <remarks>
    /// A retry handler instead of a <see cref="RetryPolicy"/> with a predicate: only the Durable Task engine can create the exceptions that
    /// such a predicate receives, so neither the local host nor a test could exercise it.
    /// </remarks>
    public static TaskOptions Transient { get; } = TaskOptions.FromRetryHandler(async retry =>
    {
        if (retry.LastAttemptNumber >= Attempts || !IsTransient(retry.LastFailure)) return false;
        // 2, 5, 12.5 and 31.25 seconds: 51 in all.
        var pause = FirstPause * Math.Pow(Backoff, retry.LastAttemptNumber - 1);
        await retry.OrchestrationContext.CreateTimer(pause, retry.CancellationToken);
        return true;
    });

    private static bool IsTransient(TaskFailureDetails failure) =>
        !failure.Has<RequestException>() && !failure.Has<PermanentFailureException>();
}

/// <summary>Inspects the failures of tasks.</summary>
internal static class TaskFailures
{
    /// <summary>True when the failure or one of its causes is an exception of exactly this type.</summary>
    /// <remarks>
    /// <see cref="TaskFailureDetails.IsCausedBy{T}"/> looks the type up by name in every loaded assembly and throws
    /// <see cref="System.Reflection.AmbiguousMatchException"/> for forwarded types, such as HttpRequestException.
    /// </remarks>
    public static bool Has<T>(this TaskFailureDetails? failure)
        where T : Exception
    {
        for (; failure is not null; failure = failure.InnerFailure)
            if (failure.ErrorType == typeof(T).FullName) return true;
        return false;
    }
}

using FunctionsPipeline.Contracts;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>How activities are tried again.</summary>
internal static class Retries
{
    private const int Attempts = 5;
    private const double Backoff = 2.5;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);

    /// <summary>Five times over about a minute, unless trying again is of no use.</summary>
    /// <remarks>Not a <see cref="RetryPolicy"/> with a predicate: that one is called with exceptions which only the Durable Task engine
    /// can make, so that neither the local host nor a test could follow it.</remarks>
    public static TaskOptions Transient { get; } = TaskOptions.FromRetryHandler(async retry =>
    {
        if (retry.LastAttemptNumber >= Attempts || !IsTransient(retry.LastFailure)) return false;
        var pause = FirstPause * Math.Pow(Backoff, retry.LastAttemptNumber - 1);
        await retry.OrchestrationContext.CreateTimer(pause, retry.CancellationToken);
        return true;
    });

    private static bool IsTransient(TaskFailureDetails failure) =>
        !failure.Has<RequestException>() && !failure.Has<PermanentFailureException>();
}

using FunctionsPipeline.Contracts;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>How activities are tried again.</summary>
internal static class Retries
{
    /// <summary>Five times over about a minute, unless trying again is of no use.</summary>
    public static TaskOptions Transient { get; } = TaskOptions.FromRetryPolicy(
        new RetryPolicy(maxNumberOfAttempts: 5, firstRetryInterval: TimeSpan.FromSeconds(2), backoffCoefficient: 2.5, maxRetryInterval: TimeSpan.FromMinutes(1))
        {
            HandleFailure = IsTransient,
        });

    private static bool IsTransient(TaskFailureDetails failure) =>
        !failure.IsCausedBy<RequestException>() && !failure.IsCausedBy<PermanentFailureException>();
}

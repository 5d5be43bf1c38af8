using Microsoft.DurableTask;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>Tries a durable call again by a policy or a handler. Pauses are durable timers, so a retry survives a restart.</summary>
internal static class Retries
{
    public static async Task<T> RunAsync<T>(TaskOrchestrationContext context, TaskRetryOptions? options, Func<Task<T>> call)
    {
        if (options is null) return await call();
        var started = context.CurrentUtcDateTime;
        for (var attempt = 1; ; attempt++)
        {
            TaskFailedException failure;
            try
            {
                return await call();
            }
            catch (TaskFailedException e)
            {
                failure = e;
            }
            var elapsed = context.CurrentUtcDateTime - started;
            if (options.Policy is { } policy)
            {
                // A predicate given as HandleFailure throws here: it takes exceptions that only the Durable Task engine can make.
                if (Pause(policy, attempt, elapsed) is not { } pause || !policy.Handle(failure)) throw failure;
                await context.CreateTimer(pause, CancellationToken.None);
            }
            else if (!await options.Handler!(new RetryContext(context, attempt, failure.FailureDetails, elapsed, CancellationToken.None)))
            {
                throw failure;
            }
        }
    }

    /// <summary>The time to wait after a failed attempt, null when there is to be no other.</summary>
    private static TimeSpan? Pause(RetryPolicy policy, int attempt, TimeSpan elapsed)
    {
        if (attempt >= policy.MaxNumberOfAttempts) return null;
        var seconds = policy.FirstRetryInterval.TotalSeconds * Math.Pow(policy.BackoffCoefficient, attempt - 1);
        if (policy.MaxRetryInterval != Timeout.InfiniteTimeSpan) seconds = Math.Min(seconds, policy.MaxRetryInterval.TotalSeconds);
        var pause = TimeSpan.FromSeconds(seconds);
        return policy.RetryTimeout != Timeout.InfiniteTimeSpan && elapsed + pause > policy.RetryTimeout ? null : pause;
    }
}

using System.Runtime.ExceptionServices;
using Microsoft.Azure.WebJobs.Host.Timers;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Receives the SDK's fatal failures, such as the loss of the storage account during a container scan. The SDK's own handler would exit the
/// process at once.
/// </summary>
internal sealed class FailureHandler : IWebJobsExceptionHandler
{
    private readonly TaskCompletionSource<Exception> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first failure.</summary>
    public Task<Exception> Failure => _failure.Task;

    public Task OnTimeoutExceptionAsync(ExceptionDispatchInfo exceptionInfo, TimeSpan timeoutGracePeriod) =>
        OnUnhandledExceptionAsync(exceptionInfo);

    public Task OnUnhandledExceptionAsync(ExceptionDispatchInfo exceptionInfo)
    {
        _failure.TrySetResult(HostStorage.LastAttempt(exceptionInfo.SourceException));
        return Task.CompletedTask;
    }
}

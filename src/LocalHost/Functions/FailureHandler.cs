using System.Runtime.ExceptionServices;
using Microsoft.Azure.WebJobs.Host.Timers;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Is told what the SDK cannot go on with, such as a storage account that went away while a container was scanned. The SDK's own handler would end the
/// process at once.
/// </summary>
internal sealed class FailureHandler : IWebJobsExceptionHandler
{
    private readonly TaskCompletionSource<Exception> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first failure.</summary>
    public Task<Exception> Failure => _failure.Task;

    public Task OnTimeoutExceptionAsync(ExceptionDispatchInfo exceptionInfo, TimeSpan timeoutGracePeriod) => OnUnhandledExceptionAsync(exceptionInfo);

    public Task OnUnhandledExceptionAsync(ExceptionDispatchInfo exceptionInfo)
    {
        var exception = exceptionInfo.SourceException;
        // The tries of an Azure client come in one; the last of them says it in a line.
        _failure.TrySetResult(exception is AggregateException { InnerExceptions: [.., var last] } ? last : exception);
        return Task.CompletedTask;
    }
}

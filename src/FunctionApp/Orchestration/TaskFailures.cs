using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

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

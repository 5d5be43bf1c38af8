using System.Text.Json;
using Microsoft.DurableTask;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>Exceptions as data.</summary>
internal static class Failures
{
    /// <summary>What an exception becomes; a <see cref="TaskFailedException"/> keeps the failure of its task as the inner one.</summary>
    public static TaskFailureDetails Of(Exception exception) => exception is TaskFailedException failed
        ? new TaskFailureDetails(typeof(TaskFailedException).FullName!, failed.Message, failed.StackTrace, failed.FailureDetails, null)
        : TaskFailureDetails.FromException(exception);

    public static string Write(TaskFailureDetails failure) => JsonSerializer.Serialize(failure);

    public static TaskFailureDetails Read(string? json) => JsonSerializer.Deserialize<TaskFailureDetails>(json!)!;
}

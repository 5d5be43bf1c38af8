using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Tells why a run failed, from what the storage of orchestrations keeps of it.</summary>
internal static partial class RunErrors
{
    /// <summary>The message of the failure at the bottom of it all; null when the run has not failed.</summary>
    /// <remarks>Azure Storage keeps no failure details, only the output: <c>Type: message</c> as plain text.</remarks>
    public static string? Of(OrchestrationMetadata instance)
    {
        if (instance.RuntimeStatus != OrchestrationRuntimeStatus.Failed) return null;
        var message = instance.FailureDetails is { } failure ? Cause(failure).ErrorMessage : Message(instance.SerializedOutput);
        return message is null ? "The run failed without saying why." : TaskFailed().Replace(message, "");
    }

    // The orchestrator's own failure only says which task failed.
    private static TaskFailureDetails Cause(TaskFailureDetails failure) =>
        failure.InnerFailure is { } inner && failure.ErrorType == typeof(TaskFailedException).FullName ? Cause(inner) : failure;

    private static string? Message(string? output)
    {
        if (string.IsNullOrWhiteSpace(output)) return null;
        if (output[0] != '"') return TypeName().Replace(output, "");
        try
        {
            return TypeName().Replace(JsonSerializer.Deserialize<string>(output)!, "");
        }
        catch (JsonException)
        {
            return output;
        }
    }

    // How an exception begins that is written as text. "(unknown)" stands where the host could not tell the type.
    [GeneratedRegex(@"\A(?:\(unknown\)|[^\s:]+): ")]
    private static partial Regex TypeName();

    // What TaskFailedException puts before the message of the task's failure: once for each orchestration in between.
    [GeneratedRegex(@"\A(?:Task '[^']*' \(#\d+\) failed with an unhandled exception: )+")]
    private static partial Regex TaskFailed();
}

using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Datasets.Hub;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp;

/// <summary>A failure that retrying cannot change; activities that throw it are not retried.</summary>
public sealed class PermanentFailureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Separates permanent refusals of the Hub from transient errors.</summary>
internal static class HubFailures
{
    /// <summary>Runs the body of an activity and turns a refusal of the Hub into a failure that is not retried.</summary>
    public static Task MarkPermanentAsync(Func<Task> body) => MarkPermanentAsync<object?>(async () =>
    {
        await body();
        return null;
    });

    /// <inheritdoc cref="MarkPermanentAsync(Func{Task})"/>
    public static async Task<T> MarkPermanentAsync<T>(Func<Task<T>> body)
    {
        try
        {
            return await body();
        }
        catch (HubException e) when (!e.IsTransient)
        {
            throw new PermanentFailureException(e.Message, e);
        }
    }
}

/// <summary>Extracts the reason why an orchestration failed from its orchestration's record.</summary>
internal static partial class FailureReason
{
    /// <summary>Returns the message of the innermost failure; null when it has not failed.</summary>
    /// <remarks>The Azure Storage backend keeps no failure details, only the output as plain text: <c>Type: message</c>.</remarks>
    public static string? Of(OrchestrationMetadata instance)
    {
        if (instance.RuntimeStatus != OrchestrationRuntimeStatus.Failed) return null;
        if (instance.FailureDetails is { } failure) return Of(failure);
        return Message(instance.SerializedOutput) is { } message
            ? WithoutTask(message)
            : "The run failed without saying why.";
    }

    /// <summary>Returns the message of the innermost failure.</summary>
    public static string Of(TaskFailureDetails failure) => WithoutTask(Cause(failure).ErrorMessage);

    /// <summary>Removes from a message which task failed with it.</summary>
    public static string WithoutTask(string message) => TaskFailed().Replace(message, "");

    // The orchestrator's own failure only names the task that failed.
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

    // Type name at the start of an exception's text; "(unknown)" where the host could not determine the type.
    [GeneratedRegex(@"\A(?:\(unknown\)|[^\s:]+): ")]
    private static partial Regex TypeName();

    // Prefix that TaskFailedException adds to the message of the task's failure, once per level of sub-orchestrations.
    [GeneratedRegex(@"\A(?:Task '[^']*' \(#\d+\) failed with an unhandled exception: )+")]
    private static partial Regex TaskFailed();
}

using FunctionsPipeline.Datasets.Hub;

namespace FunctionsPipeline.FunctionApp;

/// <summary>A failure that retrying cannot change; activities that throw it are not retried.</summary>
public sealed class PermanentFailureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Separates permanent refusals of the Hub from transient errors.</summary>
internal static class HubFailures
{
    /// <summary>Runs the body of an activity and turns a refusal of the Hub into a failure that is not retried.</summary>
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

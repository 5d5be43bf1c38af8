using FunctionsPipeline.Datasets;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <summary>Tells the Hub's refusals from its bad moments.</summary>
internal static class HubFailures
{
    /// <summary>Runs the body of an activity; a refusal of the Hub fails it for good.</summary>
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

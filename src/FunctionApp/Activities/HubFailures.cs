using FunctionsPipeline.Datasets;

namespace FunctionsPipeline.FunctionApp.Activities;

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

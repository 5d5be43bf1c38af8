using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Decides if a candidate replaces the serving model.</summary>
internal static class PublishRule
{
    /// <summary>
    /// Publishes a candidate when there is no serving model, when the serving model was validated on other data, or when the candidate's
    /// loss on the same data is no worse.
    /// </summary>
    public static PublishDecision Decide(CurrentModel? current, CurrentModel candidate)
    {
        if (!double.IsFinite(candidate.ValidationLoss))
            return new PublishDecision(false, $"its validation loss is {Loss(candidate)}");
        if (current is null)
            return new PublishDecision(true, $"it is the first model (validation loss {Loss(candidate)})");
        if (current.Run == candidate.Run)
            return new PublishDecision(true, $"it serves already (validation loss {Loss(candidate)})");
        if (current.Dataset != candidate.Dataset)
            return new PublishDecision(true, $"{current.Version} was validated on other data (validation loss {Loss(candidate)})");
        return candidate.ValidationLoss <= current.ValidationLoss
            ? new PublishDecision(true, $"its validation loss {Loss(candidate)} is no worse than {Loss(current)} of {current.Version}")
            : new PublishDecision(false, $"its validation loss {Loss(candidate)} is worse than {Loss(current)} of {current.Version}, which keeps serving");
    }

    private static string Loss(CurrentModel model) => model.ValidationLoss.ToString("0.####", CultureInfo.InvariantCulture);
}

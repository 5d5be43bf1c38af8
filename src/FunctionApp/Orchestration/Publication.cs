using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Models;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Publication of a trained model from within an orchestrator.</summary>
internal static class Publication
{
    /// <summary>
    /// Publishes a run's model if the request asks for it and the model is no worse than the serving one, and wakes images that wait.
    /// </summary>
    public static async Task<PublishDecision> RunAsync(TaskOrchestrationContext context, RunRequest request, TrainingResult result)
    {
        if (!request.Publish) return new PublishDecision(false, "the request asked not to publish");
        var decision = await context.CallActivityAsync<PublishDecision>(
            nameof(ModelActivities.PublishModel), new PublishModelInput(result), Retries.Transient);
        if (decision.Published) await context.CallActivityAsync(nameof(ReadingActivities.WakeImages), result.Run, Retries.Transient);
        return decision;
    }
}

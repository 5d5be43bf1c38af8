using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Ends a run of a sweep early, from within the run's orchestrator, when a validation is worse than those of others.</summary>
internal sealed class RunPruner(TaskOrchestrationContext context, string run, SweepMember sweep)
{
    private double? _judged;

    /// <summary>Judges the run after each validation and stops the job of a run that is pruned.</summary>
    /// <returns>The run's result, when it has ended; null while it continues.</returns>
    public async Task<TrainingResult?> PruneAsync(string job, Heartbeat? heartbeat)
    {
        // After the last step only evaluations are left, and stopping them saves little.
        if (heartbeat is not { Phase: Heartbeat.Training, ValidationLoss: { } loss } || loss == _judged) return null;
        var verdict = await context.CallActivityAsync<Verdict>(
            nameof(SweepActivities.JudgeRun), new JudgeRunInput(run, loss, sweep), Retries.Transient);
        // Metrics may reach storage after the heartbeat; then the next poll asks again.
        if (verdict.IsCurrent) _judged = loss;
        return verdict.Pruned is { } pruned
            ? await context.CallActivityAsync<TrainingResult>(
                nameof(SweepActivities.PruneRun), new PruneRunInput(run, job, pruned), Retries.Transient)
            : null;
    }
}

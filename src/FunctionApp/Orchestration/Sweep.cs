using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Orchestrates a sweep: prepares the data once, trains the runs, several at a time, each as an ordinary run with a GPU job of its own, and
/// publishes the best one. The instance id is the sweep's id.
/// </summary>
public static class Sweep
{
    [Function(nameof(Sweep))]
    public static async Task<SweepOutcome> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (plan, gpuJobs) = context.GetInput<SweepInput>()!;
        var request = plan.Request;
        var data = await RunData.PrepareAsync(
            context, request.Run, preparing => context.SetCustomStatus(new SweepProgress { Message = preparing.Message! }));

        var member = new SweepMember(context.InstanceId, plan.Runs.Count, request.Pruning);
        var results = new SweepResults(plan.Runs.Count);
        context.SetCustomStatus(results.Progress);
        await BoundedFanOut.ForEachAsync(
            plan.RunRequests(), () => request.Parallelism,
            async run => results.Add(await EndAsync(context, new FineTuneInput(run, gpuJobs) { Data = data, Sweep = member })),
            _ => context.SetCustomStatus(results.Progress));
        if (results.Best is not { } best)
            throw new RunFailedException($"No run of the sweep was trained to its end. The first failure: {results.FirstFailure}");

        context.SetCustomStatus(results.Progress with { Message = $"comparing {best.Run} with the serving model" });
        var decision = await Publication.RunAsync(context, request.Run, best);
        var verdict = decision.Published ? "serves" : "does not serve";
        context.SetCustomStatus(results.Progress with { Message = $"{best.Run} {verdict}: {decision.Reason}" });
        return new SweepOutcome(best.Run, best.FineTuned!.Loss, decision.Published, decision.Reason);
    }

    /// <summary>Trains a run to its end. A failure of the run, or a cancellation of this run alone, does not end the others.</summary>
    private static async Task<TrainingResult> EndAsync(TaskOrchestrationContext context, FineTuneInput input)
    {
        var run = input.Request.Run!;
        try
        {
            var options = new SubOrchestrationOptions(instanceId: run);
            return (await context.CallSubOrchestratorAsync<RunOutcome>(nameof(FineTune), input, options)).Result;
        }
        catch (TaskFailedException e)
        {
            return new TrainingResult { Run = run, Succeeded = false, Error = FailureReason.Of(e.FailureDetails) };
        }
    }
}

/// <summary>Input of a sweep's orchestration, fixed when the sweep starts.</summary>
public sealed record SweepInput(SweepPlan Plan, GpuJobPolicy GpuJobs);

/// <summary>Results of a sweep's runs that have ended.</summary>
/// <param name="runs">Number of all runs.</param>
internal sealed class SweepResults(int runs)
{
    private int _completed;
    private int _pruned;
    private int _failed;

    /// <summary>Result with the lowest validation loss, the first one of equals; null before the first model.</summary>
    public TrainingResult? Best { get; private set; }

    public string? FirstFailure { get; private set; }

    public SweepProgress Progress => new()
    {
        Message = $"{_completed + _pruned + _failed} of {runs} runs have ended",
        Completed = _completed,
        Pruned = _pruned,
        Failed = _failed,
        Best = Best?.Run,
        ValidationLoss = Best?.FineTuned!.Loss,
    };

    public void Add(TrainingResult result)
    {
        if (result.Pruned is not null) _pruned++;
        else if (result.FineTuned is not { Loss: var loss })
        {
            _failed++;
            FirstFailure ??= $"{result.Run}: {result.Error}";
        }
        else
        {
            _completed++;
            if (Best is null || loss < Best.FineTuned!.Loss) Best = result;
        }
    }
}

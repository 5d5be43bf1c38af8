using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <param name="Request">Request of the run, with its id.</param>
public sealed record AcceptRunInput(RunRequest Request, DateTime At);

/// <param name="Loss">Loss of the run's last validation, as its heartbeat has it.</param>
public sealed record JudgeRunInput(string Run, double Loss, SweepMember Sweep);

/// <param name="Job">Name of the run's job.</param>
public sealed record PruneRunInput(string Run, string Job, PrunedTraining Pruned);

/// <summary>Verdict on a run.</summary>
/// <param name="IsCurrent">True when the verdict is of the validation that was asked about, rather than of an earlier one.</param>
/// <param name="Pruned">The early end of the run; null when it continues.</param>
public sealed record Verdict(bool IsCurrent, PrunedTraining? Pruned);

/// <summary>Activities of the runs of a sweep.</summary>
public sealed class SweepActivities(IGpuJobs jobs, RunDocumentStore store, RunIndex index, ILogger<SweepActivities> logger)
{
    private const int LookupsAtOnce = 8;

    /// <summary>Enters a run of a sweep where all runs are found.</summary>
    [Function(nameof(AcceptRun))]
    public async Task AcceptRun([ActivityTrigger] AcceptRunInput input, CancellationToken cancellationToken)
    {
        var run = input.Request.Run!;
        // A sweep marks its runs before it is cancelled; this one was on its way to its start.
        if (await store.IsCancelledAsync(run, cancellationToken)) throw new PermanentFailureException($"{run} was cancelled.");
        await store.ClaimAsync(run, input.Request, cancellationToken);
        await index.AddAsync(run, new DateTimeOffset(input.At, TimeSpan.Zero), cancellationToken);
    }

    /// <summary>Judges a run by its validations and those of the sweep's other runs.</summary>
    [Function(nameof(JudgeRun))]
    public async Task<Verdict> JudgeRun([ActivityTrigger] JudgeRunInput input, CancellationToken cancellationToken)
    {
        var validations = await store.ValidationsAsync(input.Run, cancellationToken);
        var others = new IReadOnlyList<Validation>[input.Sweep.Runs];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, others.Length, parallel, async (i, stop) =>
        {
            var other = SweepPlan.RunId(input.Sweep.Sweep, i);
            others[i] = other == input.Run ? [] : await store.ValidationsAsync(other, stop);
        });
        var isCurrent = validations.Any(validation => validation.Loss == input.Loss);
        return new Verdict(isCurrent, MedianRule.Judge(validations, others, input.Sweep.Pruning));
    }

    /// <summary>Stops the job of a run, unless it has ended meanwhile, and writes its result.</summary>
    /// <returns>The run's result: the early end, or what the job has written before.</returns>
    [Function(nameof(PruneRun))]
    public async Task<TrainingResult> PruneRun([ActivityTrigger] PruneRunInput input, CancellationToken cancellationToken)
    {
        await jobs.StopAsync(input.Job, cancellationToken);
        var (reason, step, _) = input.Pruned;
        var result = await store.EnsureResultAsync(
            new TrainingResult { Run = input.Run, Succeeded = false, Pruned = input.Pruned, Steps = step }, cancellationToken);
        if (result.Pruned is not null) Logs.RunPruned(logger, input.Run, reason);
        return result;
    }
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Where a run stands between two steps, beside its weights and its optimizer: <c>state.json</c> of a checkpoint. Order, augmentation and
/// dropout are functions of the seed and of the position in the data, so that a position is all there is to know of them.
/// </summary>
internal sealed record TrainingState
{
    /// <summary>Optimizer steps taken.</summary>
    public int Step { get; init; }

    /// <summary>Training samples taken, over all passes: where the next one is in the data.</summary>
    public long Samples { get; init; }

    /// <summary>Training time so far, with the validations in between, of all jobs of the run.</summary>
    public double Seconds { get; init; }

    /// <summary><see cref="LearningRateSchedule.WarmupEnd"/>.</summary>
    public double WarmupEndSeconds { get; init; }

    /// <summary>Mean training loss of the last steps; null before the first.</summary>
    public double? Loss { get; init; }

    /// <summary>Validations that were due by the progress of training.</summary>
    public int Validated { get; init; }

    /// <summary>The lowest validation loss so far; null before the first validation.</summary>
    public double? BestLoss { get; init; }

    /// <summary>The step of <see cref="BestLoss"/>.</summary>
    public int BestStep { get; init; }

    /// <summary>Validations since then.</summary>
    public int SinceBest { get; init; }

    /// <summary>The base model's figures, which are measured once.</summary>
    public required EvaluationMetrics Base { get; init; }

    /// <summary>SHA-256 of the job that the checkpoint belongs to: another job's must not be gone on from.</summary>
    public required string Job { get; init; }

    /// <summary>The state after a validation.</summary>
    public TrainingState Validate(double loss) => loss < (BestLoss ?? double.PositiveInfinity)
        ? this with { BestLoss = loss, BestStep = Step, SinceBest = 0 }
        : this with { SinceBest = SinceBest + 1 };
}

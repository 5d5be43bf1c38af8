using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// State of a run between two steps besides its weights and its optimizer: <c>state.json</c> of a checkpoint. Order, augmentation and
/// dropout are functions of the seed and the position in the data, so that no generator's state needs to be stored.
/// </summary>
internal sealed record TrainingState
{
    /// <summary>Number of optimizer steps taken.</summary>
    public int Step { get; init; }

    /// <summary>Number of training samples taken over all epochs, which is the position in the data.</summary>
    public long Samples { get; init; }

    /// <summary>Training time of all attempts of the run, validations included, in seconds.</summary>
    public double Seconds { get; init; }

    /// <summary><see cref="LearningRateSchedule.WarmupEnd"/> in seconds.</summary>
    public double WarmupEndSeconds { get; init; }

    /// <summary>Exponential moving average of the training loss; null before the first step.</summary>
    public double? Loss { get; init; }

    /// <summary>Number of validations that the progress of training has called for.</summary>
    public int Validated { get; init; }

    /// <summary>Lowest validation loss so far; null before the first validation.</summary>
    public double? BestLoss { get; init; }

    /// <summary>Step of <see cref="BestLoss"/>.</summary>
    public int BestStep { get; init; }

    /// <summary>Number of validations since the best step.</summary>
    public int SinceBest { get; init; }

    /// <summary>Figures of the base model, measured once.</summary>
    public required EvaluationMetrics Base { get; init; }

    /// <summary>SHA-256 of the checkpoint's job: a run must not resume from another job's checkpoint.</summary>
    public required string Job { get; init; }

    /// <summary>Returns the state after a validation with the given loss.</summary>
    public TrainingState Validate(double loss) => loss < (BestLoss ?? double.PositiveInfinity)
        ? this with { BestLoss = loss, BestStep = Step, SinceBest = 0 }
        : this with { SinceBest = SinceBest + 1 };
}

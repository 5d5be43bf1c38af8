using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// A linear rise over the warm-up steps, then the fall that the settings ask for. The fall follows the steps or, where the training time is
/// limited, the clock, whichever is further on, so that it reaches 0 when training ends.
/// </summary>
/// <param name="steps">Steps that training takes if time allows.</param>
public sealed class LearningRateSchedule(TrainingSettings settings, int steps)
{
    /// <summary>Time that had passed when the warm-up ended; part of a checkpoint.</summary>
    public TimeSpan WarmupEnd { get; set; }

    /// <summary>How much of the training is done, 0 to 1.</summary>
    public double Progress(int step, TimeSpan elapsed)
    {
        var bySteps = (double)step / steps;
        var byClock = settings.MaxMinutes is { } minutes ? elapsed.TotalMinutes / minutes : 0;
        return Math.Min(1, Math.Max(bySteps, byClock));
    }

    /// <summary>The share of the peak learning rate that a step, counted from 0, is taken with.</summary>
    /// <param name="elapsed">Training time so far; never goes back from one call to the next.</param>
    public double Factor(int step, TimeSpan elapsed)
    {
        if (step < settings.WarmupSteps)
        {
            WarmupEnd = elapsed;
            return (double)(step + 1) / settings.WarmupSteps;
        }
        var start = Math.Min(Progress(settings.WarmupSteps, WarmupEnd), 1);
        var done = start < 1 ? Math.Clamp((Progress(step, elapsed) - start) / (1 - start), 0, 1) : 1;
        return settings.Schedule switch
        {
            ScheduleShape.Constant => 1,
            ScheduleShape.Linear => 1 - done,
            _ => 0.5 * (1 + Math.Cos(Math.PI * done)),
        };
    }
}

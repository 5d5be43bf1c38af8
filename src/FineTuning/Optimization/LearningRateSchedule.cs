using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Learning rate over a run: a linear warm-up, then the decay of the settings. The decay follows the steps or, where the training time is
/// limited, the clock, whichever is further on, so that a linear or cosine decay reaches 0 when training ends.
/// </summary>
/// <param name="steps">Number of steps of the training if time allows.</param>
public sealed class LearningRateSchedule(TrainingSettings settings, int steps)
{
    /// <summary>Training time at the end of the warm-up; part of a checkpoint.</summary>
    public TimeSpan WarmupEnd { get; set; }

    /// <summary>Computes the share of the training that is done, 0 to 1: the larger of the shares by steps and by time.</summary>
    public double Progress(int step, TimeSpan elapsed)
    {
        var bySteps = (double)step / steps;
        var byClock = settings.MaxMinutes is { } minutes ? elapsed.TotalMinutes / minutes : 0;
        return Math.Min(1, Math.Max(bySteps, byClock));
    }

    /// <summary>Computes the factor on the peak learning rate of a step.</summary>
    /// <param name="step">Number of the step, counted from 0.</param>
    /// <param name="elapsed">Training time so far; must not decrease from one call to the next.</param>
    public double Factor(int step, TimeSpan elapsed)
    {
        // (step + 1) / warmupSteps: the first step has a rate above 0, the last of the warm-up the peak rate.
        if (step < settings.WarmupSteps)
        {
            WarmupEnd = elapsed;
            return (double)(step + 1) / settings.WarmupSteps;
        }
        // Progress after the warm-up, rescaled to 0 … 1.
        var start = Math.Min(Progress(settings.WarmupSteps, WarmupEnd), 1);
        var done = start < 1 ? Math.Clamp((Progress(step, elapsed) - start) / (1 - start), 0, 1) : 1;
        return settings.Schedule switch
        {
            ScheduleShape.Constant => 1,
            ScheduleShape.Linear => 1 - done,
            // Half a cosine period, from 1 to 0 (https://arxiv.org/abs/1608.03983, without restarts).
            _ => 0.5 * (1 + Math.Cos(Math.PI * done)),
        };
    }
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// A linear rise over the warm-up steps, then half a cosine down to 0. The cosine follows the steps or, where the training time is limited,
/// the clock, whichever is further on, so that it reaches 0 when training ends.
/// </summary>
/// <param name="steps">Steps that training takes if time allows.</param>
public sealed class LearningRateSchedule(TrainingSettings settings, int steps)
{
    private TimeSpan _warmupEnd;

    /// <summary>How much of the training is done, 0 to 1.</summary>
    public double Progress(int step, TimeSpan elapsed)
    {
        var bySteps = (double)step / steps;
        var byClock = settings.MaxMinutes is { } minutes ? elapsed.TotalMinutes / minutes : 0;
        return Math.Min(1, Math.Max(bySteps, byClock));
    }

    /// <summary>The rate of a step, counted from 0.</summary>
    /// <param name="elapsed">Time since training began; never goes back from one call to the next.</param>
    public double Rate(int step, TimeSpan elapsed)
    {
        if (step < settings.WarmupSteps)
        {
            _warmupEnd = elapsed;
            return settings.LearningRate * (step + 1) / settings.WarmupSteps;
        }
        var start = Math.Min(Progress(settings.WarmupSteps, _warmupEnd), 1);
        var decay = start < 1 ? (Progress(step, elapsed) - start) / (1 - start) : 1;
        return settings.LearningRate * 0.5 * (1 + Math.Cos(Math.PI * Math.Clamp(decay, 0, 1)));
    }
}

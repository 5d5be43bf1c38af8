using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tests;

public sealed class LearningRateScheduleTests
{
    private static readonly TrainingSettings Settings = new() { WarmupSteps = 4 };

    [Fact]
    public void The_rate_rises_to_its_peak_over_the_warm_up_and_falls_to_zero_as_a_cosine()
    {
        var factors = Factors(Settings, steps: 24);
        Assert.Equal([0.25, 0.5, 0.75, 1, 1], factors[..5], Close);
        Assert.Equal(0.5, factors[14], 1e-9);
        Assert.Equal(0.5 * (1 + Math.Cos(Math.PI / 4)), factors[9], 1e-9);
        Assert.Equal(0, factors[24], 1e-9);
    }

    [Fact]
    public void The_fall_may_be_a_straight_line_or_none()
    {
        var linear = Factors(Settings with { Schedule = ScheduleShape.Linear }, steps: 24);
        Assert.Equal([0.25, 0.5, 0.75, 1, 1, 0.95], linear[..6], Close);
        Assert.Equal(0, linear[24], 1e-9);
        Assert.Equal([0.25, 0.5, 0.75, 1, 1, 1], Factors(Settings with { Schedule = ScheduleShape.Constant }, steps: 5), Close);
    }

    [Fact]
    public void With_a_time_limit_the_fall_follows_the_clock_where_it_is_ahead_of_the_steps()
    {
        var schedule = new LearningRateSchedule(Settings with { MaxMinutes = 11 }, steps: 1_000_000);
        schedule.Factor(3, TimeSpan.FromMinutes(1));
        Assert.Equal(1, schedule.Factor(4, TimeSpan.FromMinutes(1)), 1e-5);
        Assert.Equal(0.5, schedule.Factor(5, TimeSpan.FromMinutes(6)), 1e-5);
        Assert.Equal(0, schedule.Factor(6, TimeSpan.FromMinutes(11)), 1e-5);
        Assert.Equal(1, schedule.Progress(6, TimeSpan.FromMinutes(12)));
    }

    [Fact]
    public void A_schedule_that_knows_when_the_warm_up_ended_goes_on_where_another_one_stopped()
    {
        var settings = Settings with { MaxMinutes = 11 };
        var first = new LearningRateSchedule(settings, steps: 1_000_000);
        first.Factor(3, TimeSpan.FromMinutes(1));
        var second = new LearningRateSchedule(settings, steps: 1_000_000) { WarmupEnd = first.WarmupEnd };
        Assert.Equal(first.Factor(5, TimeSpan.FromMinutes(6)), second.Factor(5, TimeSpan.FromMinutes(6)));
    }

    [Fact]
    public void A_warm_up_longer_than_the_training_never_gets_to_the_peak() =>
        Assert.Equal([0.1, 0.2, 0.3, 0.4, 0.5], Factors(Settings with { WarmupSteps = 10 }, steps: 5)[..5], Close);

    [Fact]
    public void Without_a_warm_up_the_first_step_is_at_the_peak() =>
        Assert.Equal(1, Factors(Settings with { WarmupSteps = 0 }, steps: 5)[0], 1e-9);

    private static double[] Factors(TrainingSettings settings, int steps)
    {
        var schedule = new LearningRateSchedule(settings, steps);
        return [.. Enumerable.Range(0, steps + 1).Select(step => schedule.Factor(step, TimeSpan.Zero))];
    }

    private static bool Close(double a, double b) => Math.Abs(a - b) < 1e-9;
}

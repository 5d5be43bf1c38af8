using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class LearningRateScheduleTests
{
    private static readonly TrainingSettings Settings = new() { LearningRate = 0.1, WarmupSteps = 4 };

    [Fact]
    public void The_rate_rises_to_its_peak_over_the_warm_up_and_falls_to_zero_as_a_cosine()
    {
        var schedule = new LearningRateSchedule(Settings, steps: 24);
        var rates = Enumerable.Range(0, 25).Select(step => schedule.Rate(step, TimeSpan.Zero)).ToArray();
        Assert.Equal([0.025, 0.05, 0.075, 0.1, 0.1], rates[..5], Close);
        Assert.Equal(0.05, rates[14], 1e-9);
        Assert.Equal(0, rates[24], 1e-9);
        Assert.Equal(rates[4..].OrderDescending(), rates[4..]);
    }

    [Fact]
    public void With_a_time_limit_the_fall_follows_the_clock_where_it_is_ahead_of_the_steps()
    {
        var schedule = new LearningRateSchedule(Settings with { MaxMinutes = 11 }, steps: 1_000_000);
        schedule.Rate(3, TimeSpan.FromMinutes(1));
        Assert.Equal(0.1, schedule.Rate(4, TimeSpan.FromMinutes(1)), 1e-6);
        Assert.Equal(0.05, schedule.Rate(5, TimeSpan.FromMinutes(6)), 1e-6);
        Assert.Equal(0, schedule.Rate(6, TimeSpan.FromMinutes(11)), 1e-6);
        Assert.Equal(1, schedule.Progress(6, TimeSpan.FromMinutes(12)));
    }

    [Fact]
    public void A_warm_up_longer_than_the_training_never_gets_to_the_peak()
    {
        var schedule = new LearningRateSchedule(Settings with { WarmupSteps = 10 }, steps: 5);
        Assert.Equal([0.01, 0.02, 0.03, 0.04, 0.05], Enumerable.Range(0, 5).Select(step => schedule.Rate(step, TimeSpan.Zero)), Close);
    }

    [Fact]
    public void Without_a_warm_up_the_first_step_is_at_the_peak() =>
        Assert.Equal(0.1, new LearningRateSchedule(Settings with { WarmupSteps = 0 }, steps: 5).Rate(0, TimeSpan.Zero), 1e-9);

    private static bool Close(double a, double b) => Math.Abs(a - b) < 1e-9;
}

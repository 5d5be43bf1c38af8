using FunctionsPipeline.Shared;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class RetryPacingTests
{
    private readonly FixedTime _time = new();

    [Fact]
    public void Each_caller_gets_a_turn_of_its_own_at_the_given_rate()
    {
        var pacing = new RetryPacing(_time, TimeSpan.FromMinutes(5));
        Assert.Equal([0.5, 1, 1.5], Take(pacing, 3));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([1], Take(pacing, 1));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal([0.5], Take(pacing, 1));
    }

    [Fact]
    public void Turns_beyond_the_longest_pause_push_nobody_back()
    {
        var pacing = new RetryPacing(_time, TimeSpan.FromSeconds(10));
        Assert.Equal(10, Take(pacing, 1_000).Max());
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.InRange(Take(pacing, 1).Single(), 1, 2.5);
    }

    private static double[] Take(RetryPacing pacing, int callers) =>
        [.. Enumerable.Range(0, callers).Select(_ => pacing.Next(TimeSpan.FromSeconds(0.5)).TotalSeconds)];

    private sealed class FixedTime : TimeProvider
    {
        private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public void Advance(TimeSpan time) => _now += time;

        public override DateTimeOffset GetUtcNow() => _now;
    }
}

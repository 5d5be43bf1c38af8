using FunctionsPipeline.Shared;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

public sealed class PacedRetryTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly ManualTimeProvider _time = new(Start);
    private readonly PacedRetry _pace;

    public PacedRetryTests() => _pace = new PacedRetry(_time);

    [Fact]
    public void Each_caller_gets_the_slot_after_the_one_before_behind_what_is_in_progress()
    {
        _pace.Completed(4, TimeSpan.FromSeconds(2));
        Assert.Equal([5.5, 6, 6.5], Enumerable.Range(0, 3).Select(_ => _pace.Next(10).TotalSeconds));
    }

    [Fact]
    public void Slots_that_have_passed_are_not_given_again()
    {
        _pace.Completed(1, TimeSpan.FromSeconds(1));
        Assert.Equal(3, _pace.Next(2).TotalSeconds);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(3, _pace.Next(2).TotalSeconds);
        _time.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(3, _pace.Next(2).TotalSeconds);
    }

    [Fact]
    public void The_throughput_is_a_moving_average()
    {
        _pace.Completed(1, TimeSpan.FromSeconds(1));
        _pace.Completed(1, TimeSpan.FromSeconds(2));
        Assert.Equal(1.2, _pace.Next(0).TotalSeconds, 1e-6);
    }

    [Fact]
    public void Nobody_is_told_to_wait_longer_than_five_minutes()
    {
        _pace.Completed(1, TimeSpan.FromSeconds(1));
        var slots = Enumerable.Range(0, 1000).Select(_ => _pace.Next(0).TotalSeconds).ToList();
        Assert.Equal(Enumerable.Range(1, 300).Select(i => (double)i), slots.Take(300));
        Assert.All(slots.Skip(300), slot => Assert.Equal(300, slot));
        _time.Advance(TimeSpan.FromSeconds(300));
        Assert.Equal(1, _pace.Next(0).TotalSeconds);
    }

    [Fact]
    public void A_crowd_comes_back_about_once_each()
    {
        // 2,000 callers, 64 places and 10 answers a second: all are answered within 200 s.
        _pace.Completed(10, TimeSpan.FromSeconds(1));
        const int places = 64;
        var calls = 0;
        var inProgress = 0;
        var due = new PriorityQueue<int, TimeSpan>(Enumerable.Range(0, 2000).Select(caller => (caller, TimeSpan.Zero)));
        for (var second = TimeSpan.Zero; due.Count > 0; second += TimeSpan.FromSeconds(1))
        {
            while (due.TryPeek(out var caller, out var at) && at <= second)
            {
                due.Dequeue();
                calls++;
                if (inProgress < places) inProgress++;
                else due.Enqueue(caller, second + TimeSpan.FromSeconds(Math.Ceiling(_pace.Next(inProgress).TotalSeconds)));
            }
            inProgress = Math.Max(0, inProgress - 10);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.InRange(calls, 2000, 5000);
        Assert.InRange(_time.GetUtcNow() - Start, TimeSpan.Zero, TimeSpan.FromSeconds(230));
    }
}

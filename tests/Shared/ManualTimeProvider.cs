namespace FunctionsPipeline.Tests;

/// <summary>Clock that advances only when a test moves it; due timers fire on the way, in the order of their times.</summary>
internal sealed class ManualTimeProvider(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = start;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate) return _now;
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan by)
    {
        var target = GetUtcNow() + by;
        while (true)
        {
            ManualTimer? next;
            lock (_gate)
            {
                next = _timers.Where(t => t.Due <= target).MinBy(t => t.Due);
                _now = next?.Due > _now ? next.Due : _now;
                if (next is null)
                {
                    _now = target;
                    return;
                }
                _timers.Remove(next);
            }
            next.Callback(next.State);
        }
    }

    /// <summary>Waits until the given number of timers is due that far from now.</summary>
    public async Task SleepingAsync(TimeSpan fromNow, int sleepers = 1)
    {
        for (var i = 0; i < 1000; i++)
        {
            lock (_gate)
            {
                if (_timers.Count(t => t.Due == _now + fromNow) >= sleepers) return;
            }
            await Task.Delay(20);
        }
        Assert.Fail($"Less than {sleepers} sleep for {fromNow}.");
    }

    private sealed class ManualTimer(ManualTimeProvider provider, TimerCallback callback, object? state) : ITimer
    {
        public TimerCallback Callback => callback;

        public object? State => state;

        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            // The period is ignored: Task.Delay and CancellationTokenSource, the only users here, have no periodic timers.
            lock (provider._gate)
            {
                provider._timers.Remove(this);
                if (dueTime < TimeSpan.Zero) return true;
                Due = provider._now + dueTime;
                provider._timers.Add(this);
            }
            return true;
        }

        public void Dispose()
        {
            lock (provider._gate) provider._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

namespace FunctionsPipeline.Tests.Datasets;

/// <summary>A clock that stands still until a test moves it; timers fire on the way, in the order of their times.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = new(2026, 1, 15, 12, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate) return _now;
    }

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
                _now = next?.Due > _now ? next.Due : next is null ? target : _now;
                if (next is null) return;
                _timers.Remove(next);
            }
            next.Callback(next.State);
        }
    }

    /// <summary>Waits until somebody sleeps until the time that far from now.</summary>
    public async Task SleepingAsync(TimeSpan fromNow)
    {
        for (var i = 0; i < 3000; i++)
        {
            lock (_gate)
            {
                if (_timers.Any(t => t.Due == _now + fromNow)) return;
            }
            await Task.Delay(10);
        }
        Assert.Fail($"Nobody sleeps for {fromNow}.");
    }

    private sealed class ManualTimer(ManualClock clock, TimerCallback callback, object? state) : ITimer
    {
        public TimerCallback Callback => callback;

        public object? State => state;

        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            // Delays and time limits, the only users here, have no periodic timers.
            lock (clock._gate)
            {
                clock._timers.Remove(this);
                if (dueTime < TimeSpan.Zero) return true;
                Due = clock._now + dueTime;
                clock._timers.Add(this);
            }
            return true;
        }

        public void Dispose()
        {
            lock (clock._gate) clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

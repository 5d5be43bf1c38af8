using FunctionsPipeline.Shared;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>
/// Bounds this instance's requests to the worker, and spreads the images that wait over time. A bounded number of requests leaves activity
/// slots free for runs, and spread retries keep 10,000 waiting images from flooding the task hub.
/// </summary>
public sealed class WorkerSlots
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWhileAway = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan WarmInterval = TimeSpan.FromSeconds(30);

    // Ten polls a second while the worker is away: each is an activity, of which the emulator runs some forty a second.
    private static readonly TimeSpan PollSpacing = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly int _count;
    private readonly PacedRetry _busy, _away;
    private int _free;
    private DateTimeOffset _warmed = DateTimeOffset.MinValue;

    public WorkerSlots(IOptions<PipelineOptions> options, TimeProvider time)
    {
        _time = time;
        _count = _free = options.Value.Worker.Concurrency;
        (_busy, _away) = (new PacedRetry(time), new PacedRetry(time));
        // A guess until requests are measured.
        _busy.Completed(_count, TimeSpan.FromSeconds(1));
        _away.Completed(1, PollSpacing);
    }

    /// <summary>Takes a slot, to be disposed after the request; null when all are taken.</summary>
    public IDisposable? TryTake()
    {
        lock (_lock)
        {
            if (_free == 0) return null;
            _free--;
            return new Slot(this, _time.GetTimestamp());
        }
    }

    /// <summary>Returns the pause before the next request for an image that got no slot.</summary>
    public TimeSpan PauseWithoutSlot() => Bounded(_busy.Next(inProgress: 0));

    /// <summary>Returns the pause before the next request for an image that got no answer.</summary>
    /// <param name="waited">Time that the image has waited since it was last woken.</param>
    /// <param name="broken">Number of requests for the image that broke the worker.</param>
    public TimeSpan PauseAfter(WorkerAnswer answer, TimeSpan waited, int broken)
    {
        var growing = TimeSpan.FromTicks(Math.Clamp(waited.Ticks / 8, 2 * Shortest.Ticks, LongestWhileAway.Ticks));
        var pause = answer.State switch
        {
            ReadingState.Busy => answer.RetryAfter ?? growing,
            // 5, 15, … seconds, half as much or half as much again: images that were read together with one that breaks the worker
            // come back apart from it.
            ReadingState.Broken => TimeSpan.FromSeconds(5 * Math.Pow(3, broken - 1) * (0.5 + Random.Shared.NextDouble())),
            _ => Max(Max(growing, answer.RetryAfter ?? TimeSpan.Zero), _away.Next(inProgress: 0)),
        };
        return Bounded(pause);
    }

    /// <summary>True when the worker should be warmed now: every half minute at most.</summary>
    public bool ShouldWarm()
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            if (now - _warmed < WarmInterval) return false;
            _warmed = now;
            return true;
        }
    }

    private static TimeSpan Bounded(TimeSpan pause) =>
        TimeSpan.FromTicks(Math.Clamp(pause.Ticks, Shortest.Ticks, PacedRetry.Longest.Ticks));

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private void Release(long taken)
    {
        // All slots together complete as many requests in the time that one request takes.
        _busy.Completed(_count, _time.GetElapsedTime(taken));
        lock (_lock) _free++;
    }

    private sealed class Slot(WorkerSlots slots, long taken) : IDisposable
    {
        private bool _released;

        public void Dispose()
        {
            if (_released) return;
            _released = true;
            slots.Release(taken);
        }
    }
}

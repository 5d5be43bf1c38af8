using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class RestartPausesTests
{
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public void Pauses_double_up_to_half_a_minute()
    {
        var pauses = new RestartPauses(_time);
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 30, 30], Enumerable.Range(0, 8).Select(_ => pauses.Next().TotalSeconds));
    }

    [Fact]
    public void A_minute_of_life_makes_the_pause_short_again_and_less_does_not()
    {
        var pauses = new RestartPauses(_time);
        pauses.Next();
        pauses.Started();
        _time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(1, pauses.Next().TotalSeconds);
        pauses.Started();
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(0.5, pauses.Next().TotalSeconds);
        // A start that failed has no life, however long it took.
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(1, pauses.Next().TotalSeconds);
    }
}

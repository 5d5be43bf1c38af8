using FunctionsPipeline.Tests.LocalHost.Functions;
using Microsoft.DurableTask;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>Durable time, by a clock that the tests move.</summary>
public sealed class DurableTimeTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private TestHost _test = null!;

    public async Task InitializeAsync() => _test = await TestHost.StartAsync(o => o with { TimeProvider = _time });

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Fact]
    public async Task A_timer_fires_when_its_time_has_come_and_not_before()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Sleeps), TimeSpan.FromHours(30));
        await _test.StatusAsync(id, "asleep");
        await AdvanceAsync(TimeSpan.FromHours(29));
        Assert.False((await _test.Client.GetInstanceAsync(id))!.IsCompleted);
        await AdvanceAsync(TimeSpan.FromHours(1));
        Assert.Equal("awake", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task A_timer_goes_on_over_a_restart()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Sleeps), TimeSpan.FromHours(1));
        await _test.StatusAsync(id, "asleep");
        await _test.StopHostAsync();
        _time.Advance(TimeSpan.FromHours(2));
        await _test.StartHostAsync();
        Assert.Equal("awake", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task A_retry_policy_waits_longer_each_time()
    {
        _test.Recorder.Failures = 2;
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Retried), 5);
        await _time.SleepingAsync(TimeSpan.FromSeconds(10));
        await AdvanceAsync(TimeSpan.FromSeconds(9));
        Assert.Equal(1, _test.Recorder.Count("flaky"));
        await AdvanceAsync(TimeSpan.FromSeconds(1));
        await _time.SleepingAsync(TimeSpan.FromSeconds(20));
        await AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("after 30 s", (await _test.EndAsync(id)).ReadOutputAs<string>());
        Assert.Equal(3, _test.Recorder.Count("flaky"));
    }

    [Fact]
    public async Task A_retry_policy_gives_up_after_its_last_attempt_with_the_activitys_failure()
    {
        _test.Recorder.Failures = 10;
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Retried), 2);
        await _time.SleepingAsync(TimeSpan.FromSeconds(10));
        await AdvanceAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("Flaky gave up: flaky is not ready", (await _test.EndAsync(id)).ReadOutputAs<string>());
        Assert.Equal(2, _test.Recorder.Count("flaky"));
    }

    [Fact]
    public async Task A_retry_handler_decides_about_another_attempt_and_when()
    {
        _test.Recorder.Failures = 2;
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.RetriedByHandler));
        await _time.SleepingAsync(TimeSpan.FromSeconds(10));
        await AdvanceAsync(TimeSpan.FromSeconds(10));
        await _time.SleepingAsync(TimeSpan.FromSeconds(20));
        await AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("after 30 s", (await _test.EndAsync(id)).ReadOutputAs<string>());
        Assert.Equal(3, _test.Recorder.Count("flaky"));
    }

    [Fact]
    public async Task Waiting_for_an_event_ends_with_its_timeout()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromMinutes(5));
        await _test.StatusAsync(id, "waiting");
        await AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.Equal("nobody approved", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task An_instance_can_be_scheduled_for_later()
    {
        var at = _time.GetUtcNow().AddMinutes(10);
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.FanOut), 3, new StartOrchestrationOptions(StartAt: at));
        await AdvanceAsync(TimeSpan.FromMinutes(9));
        Assert.Equal("Pending", (await _test.Client.GetInstanceAsync(id))!.RuntimeStatus.ToString());
        await AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(14, (await _test.EndAsync(id)).ReadOutputAs<int>());
    }

    /// <summary>Moves the clock and makes the host look at it.</summary>
    private async Task AdvanceAsync(TimeSpan by)
    {
        _time.Advance(by);
        await _test.Client.RaiseEventAsync("nobody", "look");
        await Task.Delay(50);
    }
}

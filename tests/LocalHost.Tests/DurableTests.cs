using FunctionsPipeline.Tests.LocalHost.Functions;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.Tests.LocalHost;

public sealed class DurableTests : IAsyncLifetime
{
    private TestHost _test = null!;

    public async Task InitializeAsync() => _test = await TestHost.StartAsync();

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Fact]
    public async Task Activities_fan_out_and_their_results_come_together()
    {
        var end = await _test.RunAsync(nameof(Orchestrators.FanOut), 50);
        Assert.Equal(OrchestrationRuntimeStatus.Completed, end.RuntimeStatus);
        Assert.Equal(Enumerable.Range(1, 50).Sum(n => n * n), end.ReadOutputAs<int>());
    }

    [Fact]
    public async Task Sub_orchestrations_know_their_parent_and_answer_it()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Family), new StartOrchestrationOptions("family"));
        var end = await _test.EndAsync(id);
        Assert.Equal("Ada of family; Bob of family", end.ReadOutputAs<string>());
        Assert.Equal(OrchestrationRuntimeStatus.Completed, (await _test.Client.GetInstanceAsync("family-1"))!.RuntimeStatus);
    }

    [Fact]
    public async Task A_failing_sub_orchestration_carries_the_failure_of_its_activity()
    {
        _test.Recorder.Failures = 1;
        Assert.Equal("True True", (await _test.RunAsync(nameof(Orchestrators.FailingChildren))).ReadOutputAs<string>());
    }

    [Fact]
    public async Task An_orchestration_whose_activity_fails_fails_with_its_reason()
    {
        _test.Recorder.Failures = 1;
        var end = await _test.RunAsync(nameof(Orchestrators.Fails));
        Assert.Equal(OrchestrationRuntimeStatus.Failed, end.RuntimeStatus);
        Assert.True(end.FailureDetails!.IsCausedBy<TaskFailedException>());
        Assert.True(end.FailureDetails.InnerFailure!.IsCausedBy<InvalidDataException>());
        Assert.Contains("flaky is not ready", end.FailureDetails.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_external_event_wakes_the_orchestration_whatever_its_case()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1));
        await _test.StatusAsync(id, "waiting");
        await _test.Client.RaiseEventAsync(id, "approve", "Ada");
        Assert.Equal("approved by Ada", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task An_event_that_comes_before_it_is_awaited_is_kept()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1));
        await _test.Client.RaiseEventAsync(id, "Approve", "Bob");
        Assert.Equal("approved by Bob", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task One_orchestration_sends_an_event_to_another()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1));
        var sender = await _test.RunAsync(nameof(Orchestrators.Tells), id);
        Assert.Equal($"approved by {sender.InstanceId}", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task Continuing_as_new_keeps_the_events_that_have_come_meanwhile()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Adder), new Orchestrators.Addition(0, 4));
        foreach (var number in (int[])[1, 20, 300, 4000]) await _test.Client.RaiseEventAsync(id, "number", number);
        Assert.Equal(4321, (await _test.EndAsync(id)).ReadOutputAs<int>());
    }

    [Fact]
    public async Task Terminating_ends_sub_orchestrations_when_asked()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.WaitsForChild));
        await _test.Client.WaitForInstanceStartAsync(id);
        await WaitForAsync($"{id}-child");
        await _test.StatusAsync($"{id}-child", "asleep");
        await _test.Client.TerminateInstanceAsync(id, new TerminateInstanceOptions("enough", Recursive: true));
        var end = await _test.EndAsync(id);
        Assert.Equal((OrchestrationRuntimeStatus.Terminated, "enough"), (end.RuntimeStatus, end.ReadOutputAs<string>()));
        Assert.Equal(OrchestrationRuntimeStatus.Terminated, (await _test.EndAsync($"{id}-child")).RuntimeStatus);
    }

    [Fact]
    public async Task A_suspended_orchestration_takes_its_events_when_it_is_resumed()
    {
        var id = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1));
        await _test.StatusAsync(id, "waiting");
        await _test.Client.SuspendInstanceAsync(id);
        await _test.Client.RaiseEventAsync(id, "Approve", "Ada");
        await Task.Delay(100);
        Assert.Equal(OrchestrationRuntimeStatus.Suspended, (await _test.Client.GetInstanceAsync(id))!.RuntimeStatus);
        await _test.Client.ResumeInstanceAsync(id);
        Assert.Equal("approved by Ada", (await _test.EndAsync(id)).ReadOutputAs<string>());
    }

    [Fact]
    public async Task An_id_is_refused_while_its_instance_runs_and_free_again_after_its_end()
    {
        var options = new StartOrchestrationOptions("one");
        await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1), options);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.FanOut), 2, options));
        Assert.Contains("one exists already", refused.Message, StringComparison.Ordinal);
        await _test.Client.TerminateInstanceAsync("one");
        await _test.EndAsync("one");
        await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.FanOut), 2, options);
        Assert.Equal(5, (await _test.EndAsync("one")).ReadOutputAs<int>());
    }

    [Fact]
    public async Task Instances_are_listed_by_status_and_page_and_can_be_purged()
    {
        for (var n = 0; n < 5; n++) await _test.RunAsync(nameof(Orchestrators.FanOut), n);
        var running = await _test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Approval), TimeSpan.FromDays(1));
        var query = new OrchestrationQuery(Statuses: [OrchestrationRuntimeStatus.Completed], PageSize: 2);
        var pages = 0;
        await foreach (var page in _test.Client.GetAllInstancesAsync(query).AsPages()) pages += page.Values.Count > 0 ? 1 : 0;
        Assert.Equal(3, pages);
        Assert.Equal(5, (await _test.Client.PurgeAllInstancesAsync(new PurgeInstancesFilter())).PurgedInstanceCount);
        Assert.NotNull(await _test.Client.GetInstanceAsync(running));
    }

    private async Task WaitForAsync(string id)
    {
        for (var i = 0; i < 500 && await _test.Client.GetInstanceAsync(id) is null; i++) await Task.Delay(20);
    }
}

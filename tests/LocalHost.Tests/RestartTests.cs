using FunctionsPipeline.LocalHost;
using FunctionsPipeline.Tests.LocalHost.Functions;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.Tests.LocalHost;

public sealed class RestartTests
{
    [Fact]
    public async Task After_a_restart_an_orchestration_goes_on_without_running_finished_activities_again()
    {
        await using var test = await TestHost.StartAsync();
        var id = await test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.TwoSteps));
        await test.StatusAsync(id, "between");
        await test.StopHostAsync();
        await test.StartHostAsync();
        await test.Client.RaiseEventAsync(id, "Continue");
        var end = await test.EndAsync(id);
        Assert.StartsWith("Note: first, second", end.ReadOutputAs<string>(), StringComparison.Ordinal);
        Assert.Equal(1, test.Recorder.Count("first"));
        Assert.Equal(1, test.Recorder.Count("first turn"));
        Assert.Contains("replayed", test.Recorder.Lines);
        // The GUID that was drawn before the restart is the one after it.
        var noted = test.Recorder.Lines.Single(l => l.StartsWith("second ", StringComparison.Ordinal))["second ".Length..];
        Assert.Contains($"id {noted}", test.Recorder.Lines);
    }

    [Fact]
    public async Task An_activity_that_was_running_when_the_host_stopped_runs_again()
    {
        await using var test = await TestHost.StartAsync();
        var id = await test.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Orchestrators.Interrupted));
        await test.Recorder.WaitForAsync("working");
        await test.StopHostAsync();
        test.Recorder.Gate.SetResult();
        await test.StartHostAsync();
        Assert.Equal(OrchestrationRuntimeStatus.Completed, (await test.EndAsync(id)).RuntimeStatus);
        Assert.Equal(2, test.Recorder.Count("working"));
    }

    [Fact]
    public async Task A_second_host_on_the_same_state_is_refused()
    {
        await using var test = await TestHost.StartAsync();
        var refused = Assert.Throws<InvalidOperationException>(test.Create);
        Assert.Contains("in use by another local host", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_host_json_is_refused_with_the_place_that_is_wrong()
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, """{ "extensions": { "durableTask": { "maxConcurrentActivityFunctions": 0 } } }""");
            var options = new LocalHostOptions { StateDatabase = path + ".db", HostJson = path };
            var refused = Assert.Throws<InvalidOperationException>(() => FunctionsHost.Create(options, (_, _) => { }));
            Assert.Contains("extensions.durableTask.maxConcurrentActivityFunctions must be a whole number above 0", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

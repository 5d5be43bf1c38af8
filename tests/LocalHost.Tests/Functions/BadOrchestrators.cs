using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

// The published package's analyzers see most of what is wrong here; the tests are about what the host says of it.
#pragma warning disable DURABLE0003, DURABLE0004, DURABLE2002, DURABLE2003

namespace FunctionsPipeline.Tests.LocalHost.Functions;

/// <summary>Orchestrations that break the rules.</summary>
public sealed class BadOrchestrators(Recorder recorder)
{
    /// <summary>Calls another activity at every replay.</summary>
    [Function(nameof(ChangesItsMind))]
    public async Task ChangesItsMind([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        recorder.Add("run");
        if (recorder.Count("run") == 1) await context.CallActivityAsync(nameof(Activities.Square), 1);
        else await context.CallActivityAsync(nameof(Activities.Note), "1");
    }

    /// <summary>Makes fewer calls at its replay.</summary>
    [Function(nameof(ForgetsACall))]
    public async Task ForgetsACall([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        recorder.Add("run");
        if (recorder.Count("run") == 1) await context.CallActivityAsync(nameof(Activities.Square), 1);
        await context.WaitForExternalEvent<object>("never");
    }

    /// <summary>Makes more calls at its replay.</summary>
    [Function(nameof(AddsACall))]
    public async Task AddsACall([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        recorder.Add("run");
        var calls = Enumerable.Range(0, recorder.Count("run")).Select(n => context.CallActivityAsync<int>(nameof(Activities.Square), n)).ToList();
        await Task.WhenAll(calls);
    }

    [Function(nameof(WaitsForTheClock))]
    public static Task WaitsForTheClock([OrchestrationTrigger] TaskOrchestrationContext context) => Task.Delay(TimeSpan.FromDays(1));

    [Function(nameof(LeavesItsThread))]
    public static async Task LeavesItsThread([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        await context.CallActivityAsync<int>(nameof(Activities.Square), 1);
        await Task.Run(() => { });
        await context.CallActivityAsync<int>(nameof(Activities.Square), 2);
    }

    [Function(nameof(CallsNobody))]
    public static Task CallsNobody([OrchestrationTrigger] TaskOrchestrationContext context) => context.CallActivityAsync("Nobody");
}

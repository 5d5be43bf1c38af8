using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;

namespace FunctionsPipeline.TinyApp;

/// <summary>One orchestrator for each feature of Durable Functions.</summary>
public static class Orchestrators
{
    [Function(nameof(Hello))]
    public static async Task<string> Hello([OrchestrationTrigger] TaskOrchestrationContext context, string name) =>
        await context.CallActivityAsync<string>(nameof(Activities.SayHello), name);

    [Function(nameof(Doubles))]
    public static async Task<Activities.Parcel> Doubles(
        [OrchestrationTrigger] TaskOrchestrationContext context, Activities.Parcel parcel) =>
        await context.CallActivityAsync<Activities.Parcel>(nameof(Activities.Double), parcel);

    /// <summary>Runs activities in parallel.</summary>
    /// <returns>Process ids of the workers that ran the activities.</returns>
    [Function(nameof(FanOut))]
    public static async Task<int[]> FanOut([OrchestrationTrigger] TaskOrchestrationContext context, Load load)
    {
        var running = new List<Task<int>>();
        for (var i = 0; i < load.Activities; i++)
        {
            if (i >= load.AtOnce) await Task.WhenAny(running.Where(task => !task.IsCompleted));
            running.Add(context.CallActivityAsync<int>(nameof(Activities.Work), load.Milliseconds));
        }
        return await Task.WhenAll(running);
    }

    /// <summary>Runs activities in sequence, each with one retry, and reports the number of finished ones in the custom status.</summary>
    [Function(nameof(Steps))]
    public static async Task<int> Steps([OrchestrationTrigger] TaskOrchestrationContext context, Load load)
    {
        for (var step = 0; step < load.Activities; step++)
        {
            context.SetCustomStatus(new { StepsDone = step });
            var again = TaskOptions.FromRetryPolicy(new RetryPolicy(2, TimeSpan.FromMilliseconds(100)));
            await context.CallActivityAsync<int>(nameof(Activities.Work), load.Milliseconds, again);
        }
        return load.Activities;
    }

    /// <summary>Retries an activity until it succeeds, with at most four attempts.</summary>
    /// <returns>The number of attempts.</returns>
    [Function(nameof(Retries))]
    public static async Task<int> Retries([OrchestrationTrigger] TaskOrchestrationContext context, int failures) =>
        await context.CallActivityAsync<int>(
            nameof(Activities.Flaky),
            new Activities.Flakiness(context.InstanceId, failures),
            TaskOptions.FromRetryPolicy(new RetryPolicy(4, TimeSpan.FromMilliseconds(100))));

    /// <summary>Returns type and message of an activity's failure and of its cause.</summary>
    [Function(nameof(Catches))]
    public static async Task<string[]> Catches([OrchestrationTrigger] TaskOrchestrationContext context, string reason)
    {
        try
        {
            await context.CallActivityAsync(nameof(Activities.Hopeless), reason);
            return [];
        }
        catch (TaskFailedException e)
        {
            var cause = e.FailureDetails.InnerFailure;
            return [e.FailureDetails.ErrorType, e.FailureDetails.ErrorMessage, cause?.ErrorType ?? "", cause?.ErrorMessage ?? ""];
        }
    }

    [Function(nameof(Fails))]
    public static async Task Fails([OrchestrationTrigger] TaskOrchestrationContext context, string reason) =>
        await context.CallActivityAsync(nameof(Activities.Hopeless), reason);

    [Function(nameof(Parent))]
    public static async Task<string[]> Parent([OrchestrationTrigger] TaskOrchestrationContext context, string[] names) =>
        await Task.WhenAll(names.Select(name => context.CallSubOrchestratorAsync<string>(
            nameof(Hello), name, new SubOrchestrationOptions(instanceId: $"{context.InstanceId}-{name}"))));

    /// <summary>Waits for an approval event, at most the given number of seconds.</summary>
    [Function(nameof(Approval))]
    public static async Task<string> Approval([OrchestrationTrigger] TaskOrchestrationContext context, int seconds)
    {
        context.SetCustomStatus(new { WaitsFor = "Approve" });
        try
        {
            return $"approved by {await context.WaitForExternalEvent<string>("Approve", TimeSpan.FromSeconds(seconds))}";
        }
        catch (OperationCanceledException)
        {
            return "nobody came";
        }
    }

    /// <summary>Waits for a durable timer and returns the elapsed seconds by the orchestration's clock.</summary>
    [Function(nameof(Sleeps))]
    public static async Task<double> Sleeps([OrchestrationTrigger] TaskOrchestrationContext context, int seconds)
    {
        var started = context.CurrentUtcDateTime;
        await context.CreateTimer(TimeSpan.FromSeconds(seconds), CancellationToken.None);
        return (context.CurrentUtcDateTime - started).TotalSeconds;
    }

    /// <summary>Counts down, continuing as new with each number.</summary>
    [Function(nameof(Countdown))]
    public static async Task<string> Countdown([OrchestrationTrigger] TaskOrchestrationContext context, int from)
    {
        if (from == 0) return await context.CallActivityAsync<string>(nameof(Activities.SayHello), "lift-off");
        await context.CallActivityAsync<string>(nameof(Activities.SayHello), $"{from}");
        context.ContinueAsNew(from - 1);
        return "";
    }

    /// <summary>Sums numbers in an entity.</summary>
    [Function(nameof(Adds))]
    public static async Task<int> Adds([OrchestrationTrigger] TaskOrchestrationContext context, int[] numbers)
    {
        var counter = new EntityInstanceId(nameof(Counter), context.InstanceId);
        var count = 0;
        foreach (var number in numbers) count = await context.Entities.CallEntityAsync<int>(counter, nameof(Counter.Add), number);
        return count;
    }

    [Function(nameof(Traces))]
    public static async Task<string[]> Traces([OrchestrationTrigger] TaskOrchestrationContext context, string input) =>
        await context.CallActivityAsync<string[]>(nameof(Activities.Trace), input);

    /// <param name="AtOnce">Maximum number of activities in progress at the same time.</param>
    public sealed record Load(int Activities, int Milliseconds, int AtOnce = int.MaxValue);
}

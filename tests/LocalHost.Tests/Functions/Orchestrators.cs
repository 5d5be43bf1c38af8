using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.LocalHost.Functions;

/// <summary>Orchestrations that behave.</summary>
public sealed class Orchestrators(Recorder recorder)
{
    public sealed record Addition(int Sum, int Left);

    [Function(nameof(FanOut))]
    public static async Task<int> FanOut([OrchestrationTrigger] TaskOrchestrationContext context, int count)
    {
        var squares = await Task.WhenAll(Enumerable.Range(1, count).Select(n => context.CallActivityAsync<int>(nameof(Activities.Square), n)));
        return squares.Sum();
    }

    [Function(nameof(Retried))]
    public static async Task<string> Retried([OrchestrationTrigger] TaskOrchestrationContext context, int attempts)
    {
        var started = context.CurrentUtcDateTime;
        var options = TaskOptions.FromRetryPolicy(new RetryPolicy(attempts, TimeSpan.FromSeconds(10), backoffCoefficient: 2));
        try
        {
            await context.CallActivityAsync(nameof(Activities.Flaky), "flaky", options);
        }
        catch (TaskFailedException e) when (e.FailureDetails.IsCausedBy<IOException>())
        {
            return "caught the wrong exception";
        }
        catch (TaskFailedException e) when (e.FailureDetails.IsCausedBy<InvalidDataException>())
        {
            return $"{e.TaskName} gave up: {e.FailureDetails.ErrorMessage}";
        }
        return $"after {(context.CurrentUtcDateTime - started).TotalSeconds:F0} s";
    }

    [Function(nameof(RetriedByHandler))]
    public static async Task<string> RetriedByHandler([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var started = context.CurrentUtcDateTime;
        await context.CallActivityAsync(nameof(Activities.Flaky), "flaky", TaskOptions.FromRetryHandler(async retry =>
        {
            if (!retry.LastFailure.IsCausedBy<InvalidDataException>() || retry.LastAttemptNumber >= 3) return false;
            await retry.OrchestrationContext.CreateTimer(TimeSpan.FromSeconds(10 * retry.LastAttemptNumber), retry.CancellationToken);
            return true;
        }));
        return $"after {(context.CurrentUtcDateTime - started).TotalSeconds:F0} s";
    }

    [Function(nameof(Family))]
    public static async Task<string> Family([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var children = await Task.WhenAll(
            context.CallSubOrchestratorAsync<string>(nameof(Child), "Ada", new SubOrchestrationOptions(instanceId: $"{context.InstanceId}-1")),
            context.CallSubOrchestratorAsync<string>(nameof(Child), "Bob"));
        return string.Join("; ", children);
    }

    [Function(nameof(Child))]
    public static async Task<string> Child([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        await context.CreateTimer(TimeSpan.FromMilliseconds(1), CancellationToken.None);
        return $"{context.GetInput<string>()} of {context.Parent!.InstanceId}";
    }

    [Function(nameof(FailingChildren))]
    public static async Task<string> FailingChildren([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        try
        {
            await context.CallSubOrchestratorAsync(nameof(Fails));
            return "no failure";
        }
        catch (TaskFailedException e)
        {
            return $"{e.FailureDetails.IsCausedBy<TaskFailedException>()} {e.FailureDetails.InnerFailure?.IsCausedBy<InvalidDataException>()}";
        }
    }

    [Function(nameof(Fails))]
    public static Task Fails([OrchestrationTrigger] TaskOrchestrationContext context) => context.CallActivityAsync(nameof(Activities.Flaky), "flaky");

    [Function(nameof(Sleeps))]
    public static async Task<string> Sleeps([OrchestrationTrigger] TaskOrchestrationContext context, TimeSpan time)
    {
        context.SetCustomStatus("asleep");
        await context.CreateTimer(time, CancellationToken.None);
        return "awake";
    }

    [Function(nameof(Approval))]
    public static async Task<string> Approval([OrchestrationTrigger] TaskOrchestrationContext context, TimeSpan patience)
    {
        context.SetCustomStatus("waiting");
        try
        {
            return $"approved by {await context.WaitForExternalEvent<string>("Approve", patience)}";
        }
        catch (TaskCanceledException)
        {
            return "nobody approved";
        }
    }

    /// <summary>Does a step, waits, does another: the place to stop a host in the middle.</summary>
    [Function(nameof(TwoSteps))]
    public async Task<string> TwoSteps([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var logger = context.CreateReplaySafeLogger<Orchestrators>();
        logger.LogInformation("first");
        recorder.Add(context.IsReplaying ? "replayed" : "first turn");
        var id = context.NewGuid();
        var first = await context.CallActivityAsync<string>(nameof(Activities.Note), "first");
        context.SetCustomStatus("between");
        await context.WaitForExternalEvent<object>("Continue");
        var second = await context.CallActivityAsync<string>(nameof(Activities.Note), $"second {id}");
        recorder.Add($"id {id}");
        return $"{first}, {second.Split(' ')[1]}";
    }

    [Function(nameof(Interrupted))]
    public static Task Interrupted([OrchestrationTrigger] TaskOrchestrationContext context) => context.CallActivityAsync(nameof(Activities.Blocked), "working");

    [Function(nameof(WaitsForChild))]
    public static async Task WaitsForChild([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        context.SetCustomStatus("waiting");
        await context.CallSubOrchestratorAsync(nameof(Sleeps), TimeSpan.FromDays(1), new SubOrchestrationOptions(instanceId: $"{context.InstanceId}-child"));
    }

    /// <summary>Adds up events, a new execution for each.</summary>
    [Function(nameof(Adder))]
    public static async Task<int> Adder([OrchestrationTrigger] TaskOrchestrationContext context, Addition state)
    {
        if (state.Left == 0) return state.Sum;
        var number = await context.WaitForExternalEvent<int>("number");
        context.ContinueAsNew(new Addition(state.Sum + number, state.Left - 1));
        return -1;
    }

    [Function(nameof(Tells))]
    public static Task Tells([OrchestrationTrigger] TaskOrchestrationContext context, string instance)
    {
        context.SendEvent(instance, "approve", context.InstanceId);
        return Task.CompletedTask;
    }
}

using Microsoft.DurableTask;
using Microsoft.DurableTask.Converters;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// An orchestration whose activities are delegates and whose timers take no time: they move its clock. Payloads go through the durable
/// extension's JSON, and retry handlers are asked, so that what an orchestrator relies on is tested with it.
/// </summary>
internal sealed class FakeOrchestration(object input, string instance = "run-1") : TaskOrchestrationContext
{
    private readonly Dictionary<string, Func<string?, Task<object?>>> _tasks = [];
    private readonly string _input = JsonDataConverter.Default.Serialize(input)!;
    private DateTime _now = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Calls of activities and sub-orchestrations, by name, retries included.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Custom statuses in their order.</summary>
    public List<object?> Statuses { get; } = [];

    /// <summary>Pauses that were asked for.</summary>
    public List<TimeSpan> Timers { get; } = [];

    /// <summary>Input of the next execution, when the orchestration continued as new.</summary>
    public object? Continued { get; private set; }

    /// <summary>True to let an external event come before any timer.</summary>
    public bool EventsComeFirst { get; init; }

    public override TaskName Name => "Test";

    public override string InstanceId => instance;

    public override ParentOrchestrationInstance? Parent => null;

    public override DateTime CurrentUtcDateTime => _now;

    public override bool IsReplaying => false;

    protected override ILoggerFactory LoggerFactory => NullLoggerFactory.Instance;

    public FakeOrchestration On<TInput, TOutput>(string name, Func<TInput, Task<TOutput>> body)
    {
        _tasks[name] = async data => await body(JsonDataConverter.Default.Deserialize<TInput>(data)!);
        return this;
    }

    public FakeOrchestration On<TInput, TOutput>(string name, Func<TInput, TOutput> body) =>
        On<TInput, TOutput>(name, async given =>
        {
            // Before the yield: bodies run one after another in the order of their calls, and only their results come at any time.
            var output = body(given);
            await Task.Yield();
            return output;
        });

    /// <summary>One that gives nothing back.</summary>
    public FakeOrchestration On<TInput>(string name, Action<TInput> body) => On<TInput, object?>(name, given =>
    {
        body(given);
        return (object?)null;
    });

    public override T GetInput<T>() => JsonDataConverter.Default.Deserialize<T>(_input)!;

    public override Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null) =>
        CallAsync<TResult>(name.Name, input, options);

    public override Task<TResult> CallSubOrchestratorAsync<TResult>(
        TaskName orchestratorName, object? input = null, TaskOptions? options = null) =>
        CallAsync<TResult>(orchestratorName.Name, input, options);

    public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
    {
        Timers.Add(fireAt - _now);
        if (EventsComeFirst) return new TaskCompletionSource().Task;
        _now = fireAt;
        // Real time passes too: on a busy machine, what the orchestration waits for would else come after the last date that there is.
        return Task.Delay(1, CancellationToken.None);
    }

    public override void SetCustomStatus(object? customStatus) => Statuses.Add(customStatus);

    public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default) =>
        EventsComeFirst ? Task.FromResult(default(T)!) : new TaskCompletionSource<T>().Task;

    public override void SendEvent(string instanceId, string eventName, object payload) => throw new NotSupportedException();

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) => Continued = newInput;

    public override Guid NewGuid() => throw new NotSupportedException();

    private async Task<TResult> CallAsync<TResult>(string name, object? input, TaskOptions? options)
    {
        for (var attempt = 1; ; attempt++)
        {
            Calls.Add(name);
            try
            {
                var output = await _tasks[name](JsonDataConverter.Default.Serialize(input));
                return JsonDataConverter.Default.Deserialize<TResult>(JsonDataConverter.Default.Serialize(output))!;
            }
            catch (Exception e)
            {
                var failure = new TaskFailedException(name, attempt, TaskFailureDetails.FromException(e));
                var retry = new RetryContext(this, attempt, failure.FailureDetails, TimeSpan.Zero, CancellationToken.None);
                if (options?.Retry?.Handler is not { } handler || !await handler(retry)) throw failure;
            }
        }
    }
}

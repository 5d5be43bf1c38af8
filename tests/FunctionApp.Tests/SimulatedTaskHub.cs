using System.Text;
using FunctionsPipeline.Contracts;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Converters;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// A task hub in simulated time: it runs orchestrators with their sub-orchestrations for real, one step after another, while activities and
/// timers take no real time. Payloads go through the durable extension's JSON. It counts the events that Durable Task writes into each
/// history, every completion in a turn of its own, which is the most that there can be.
/// </summary>
/// <param name="slots">Number of activities that all instances together run at once at a time; further ones wait in their order.</param>
internal sealed class SimulatedTaskHub(Func<TimeSpan, int> slots)
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly Dictionary<string, Func<TaskOrchestrationContext, Task<object?>>> _orchestrators = [];
    private readonly Dictionary<string, (Func<string?, object?> Body, TimeSpan Duration)> _activities = [];
    private readonly PriorityQueue<Action, (DateTime At, long Order)> _events = new();
    private readonly Queue<(DateTime Since, Action Start)> _queue = new();
    private readonly List<Instance> _instances = [];
    private readonly HashSet<string> _ids = [];
    private DateTime _now = Start;
    private long _order;
    private int _running;

    /// <summary>Instances by the names of their orchestrators.</summary>
    public ILookup<string, Instance> Instances => _instances.ToLookup(instance => instance.Orchestrator);

    /// <summary>Simulated time since the start.</summary>
    public TimeSpan Elapsed => _now - Start;

    /// <summary>Largest number of activities in progress.</summary>
    public int MostRunning { get; private set; }

    /// <summary>Longest time that an activity waited for a slot.</summary>
    public TimeSpan LongestWait { get; private set; }

    public SimulatedTaskHub Orchestrator<T>(string name, Func<TaskOrchestrationContext, Task<T>> run)
    {
        _orchestrators[name] = async context => await run(context);
        return this;
    }

    public SimulatedTaskHub Orchestrator(string name, Func<TaskOrchestrationContext, Task> run)
    {
        _orchestrators[name] = async context =>
        {
            await run(context);
            return null;
        };
        return this;
    }

    public SimulatedTaskHub Activity<TInput>(string name, TimeSpan duration, Func<TInput, object?> body)
    {
        _activities[name] = (data => body(JsonDataConverter.Default.Deserialize<TInput>(data)!), duration);
        return this;
    }

    /// <summary>Runs an orchestration to its end; returns its output.</summary>
    public T Run<T>(string orchestrator, string id, object? input)
    {
        // Continuations run on this thread, in the order of the simulated events.
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var root = Begin(orchestrator, id, JsonDataConverter.Default.Serialize(input));
            while (!root.Ended.IsCompleted)
            {
                if (!_events.TryDequeue(out var happen, out var when)) throw new InvalidOperationException("Nothing happens any more.");
                _now = when.At;
                happen();
            }
            return JsonDataConverter.Default.Deserialize<T>(root.Ended.GetAwaiter().GetResult())!;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private Instance Begin(string orchestrator, string id, string? input)
    {
        if (!_ids.Add(id)) throw new InvalidOperationException($"There is an instance {id} already.");
        var instance = new Instance(this, orchestrator, id, input);
        _instances.Add(instance);
        _ = instance.BeginAsync(_orchestrators[orchestrator]);
        return instance;
    }

    private void At(DateTime when, Action happen) => _events.Enqueue(happen, (when, _order++));

    private void RunActivity(string name, string? input, Action<string?, Exception?> ended)
    {
        _queue.Enqueue((_now, () =>
        {
            MostRunning = Math.Max(MostRunning, ++_running);
            var (body, duration) = _activities[name];
            At(_now + duration, () =>
            {
                _running--;
                try
                {
                    var output = JsonDataConverter.Default.Serialize(body(input));
                    StartWaiting();
                    ended(output, null);
                }
                catch (Exception e) when (e is IOException or RequestException)
                {
                    StartWaiting();
                    ended(null, e);
                }
            });
        }));
        StartWaiting();
    }

    private void StartWaiting()
    {
        while (_running < slots(_now - Start) && _queue.TryDequeue(out var next))
        {
            if (_now - next.Since > LongestWait) LongestWait = _now - next.Since;
            next.Start();
        }
    }

    /// <summary>An orchestration with the measures of its history.</summary>
    internal sealed class Instance(SimulatedTaskHub hub, string orchestrator, string id, string? input) : TaskOrchestrationContext
    {
        private readonly TaskCompletionSource<string?> _ended = new();

        public string Orchestrator { get; } = orchestrator;

        /// <summary>Number of events.</summary>
        public int Events { get; private set; }

        /// <summary>Bytes of the largest input, output or custom status, in UTF-8.</summary>
        public int LargestPayload { get; private set; }

        /// <summary>Bytes of all inputs and outputs.</summary>
        public long HistoryBytes { get; private set; }

        /// <summary>The output, once the orchestration has ended.</summary>
        public Task<string?> Ended => _ended.Task;

        public override TaskName Name => Orchestrator;

        public override string InstanceId => id;

        public override ParentOrchestrationInstance? Parent => null;

        public override DateTime CurrentUtcDateTime => hub._now;

        public override bool IsReplaying => false;

        protected override ILoggerFactory LoggerFactory => NullLoggerFactory.Instance;

        public async Task BeginAsync(Func<TaskOrchestrationContext, Task<object?>> run)
        {
            // OrchestratorStarted, ExecutionStarted, OrchestratorCompleted; at the end ExecutionCompleted.
            Events += 4;
            Measure(input);
            try
            {
                var output = JsonDataConverter.Default.Serialize(await run(this));
                Measure(output);
                _ended.SetResult(output);
            }
            catch (Exception e)
            {
                _ended.SetException(e);
            }
        }

        public override T GetInput<T>() => JsonDataConverter.Default.Deserialize<T>(input)!;

        public override async Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null)
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    var completion = new TaskCompletionSource<string?>();
                    var data = JsonDataConverter.Default.Serialize(input);
                    Measure(data);
                    hub.RunActivity(name.Name, data, (output, failure) => Turn(() =>
                    {
                        Measure(output);
                        if (failure is null) completion.SetResult(output);
                        else completion.SetException(failure);
                    }));
                    return JsonDataConverter.Default.Deserialize<TResult>(await completion.Task)!;
                }
                catch (Exception e) when (e is IOException or RequestException)
                {
                    var failure = new TaskFailedException(name.Name, attempt, TaskFailureDetails.FromException(e));
                    var retry = new RetryContext(this, attempt, failure.FailureDetails, TimeSpan.Zero, CancellationToken.None);
                    if (options?.Retry?.Handler is not { } handler || !await handler(retry)) throw failure;
                }
            }
        }

        public override async Task<TResult> CallSubOrchestratorAsync<TResult>(
            TaskName orchestratorName, object? input = null, TaskOptions? options = null)
        {
            var completion = new TaskCompletionSource<string?>();
            var data = JsonDataConverter.Default.Serialize(input);
            Measure(data);
            var child = (options as SubOrchestrationOptions)?.InstanceId ?? $"{id}:{Events}";
            hub.At(hub._now, () => hub.Begin(orchestratorName.Name, child, data).Ended.ContinueWith(
                ended => hub.At(hub._now, () => Turn(() =>
                {
                    Measure(ended.IsFaulted ? null : ended.Result);
                    if (ended.Exception is { InnerException: { } cause })
                    {
                        completion.SetException(
                            new TaskFailedException(orchestratorName.Name, 0, TaskFailureDetails.FromException(cause)));
                    }
                    else completion.SetResult(ended.Result);
                })),
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));
            return JsonDataConverter.Default.Deserialize<TResult>(await completion.Task)!;
        }

        public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
        {
            var fired = new TaskCompletionSource();
            var cancelled = cancellationToken.Register(() => fired.TrySetCanceled(cancellationToken));
            hub.At(fireAt, () =>
            {
                // A cancelled timer fires too; nobody waits for it, and an orchestration that has ended ignores it.
                if (!_ended.Task.IsCompleted) Turn(() => fired.TrySetResult());
                cancelled.Dispose();
            });
            return fired.Task;
        }

        public override void SetCustomStatus(object? customStatus) => Measure(JsonDataConverter.Default.Serialize(customStatus), false);

        public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public override void SendEvent(string instanceId, string eventName, object payload) => throw new NotSupportedException();

        public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) =>
            throw new NotSupportedException();

        public override Guid NewGuid() => throw new NotSupportedException();

        // The event that created the task, the one that ends it, and the two around a turn of the orchestrator.
        private void Turn(Action end)
        {
            Events += 4;
            end();
        }

        private void Measure(string? payload, bool isOfHistory = true)
        {
            var bytes = payload is null ? 0 : Encoding.UTF8.GetByteCount(payload);
            LargestPayload = Math.Max(LargestPayload, bytes);
            if (isOfHistory) HistoryBytes += bytes;
        }
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.DurableTask;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>
/// The context of one replay. Every call takes the next task number; when history has an answer under that number, the task ends with it,
/// otherwise the call becomes a request that the turn commits.
/// </summary>
internal sealed class LocalOrchestrationContext : TaskOrchestrationContext
{
    private readonly Instance _instance;
    private readonly DataConverter _converter;
    private readonly ILoggerFactory _loggers;
    private readonly OrchestratorLoop _loop;
    private readonly Dictionary<int, HistoryEvent> _scheduled;
    private readonly Dictionary<int, PendingTask> _pending = [];
    private readonly ExternalEvents _events = new();
    private readonly List<Request> _requests = [];
    private int _nextTask;
    private int _nextGuid;
    private DateTime _now;
    private bool _isReplaying = true;

    public LocalOrchestrationContext(Instance instance, IEnumerable<HistoryEvent> history, OrchestratorLoop loop, DataConverter converter,
        ILoggerFactory loggers)
    {
        _instance = instance;
        _converter = converter;
        _loggers = loggers;
        _loop = loop;
        _scheduled = history.Where(IsScheduling).ToDictionary(e => e.Task);
        CustomStatus = instance.CustomStatus;
    }

    public override TaskName Name => _instance.Name;

    public override string InstanceId => _instance.Id;

    public override string Version => _instance.Version;

    public override ParentOrchestrationInstance? Parent =>
        _instance.Parent is { } parent ? new ParentOrchestrationInstance(parent.Name, parent.Instance) : null;

    public override DateTime CurrentUtcDateTime => _now;

    public override bool IsReplaying => _isReplaying;

    /// <summary>Why the replay cannot go on, once the orchestrator has left its history.</summary>
    public NonDeterministicOrchestratorException? Violation { get; private set; }

    public IReadOnlyList<Request> Requests => _requests;

    public string? CustomStatus { get; private set; }

    /// <summary>Set by <see cref="ContinueAsNew(object?, bool)"/>.</summary>
    public TurnEnd.ContinuedAsNew? Continuation { get; private set; }

    /// <summary>Whether some durable task or external event can still move the orchestrator.</summary>
    public bool IsWaiting => _events.IsAwaited || _pending.Values.Any(p => p.IsOpen);

    protected override ILoggerFactory LoggerFactory => _loggers;

    public static bool IsScheduling(HistoryEvent e) =>
        e.Kind is EventKind.ActivityScheduled or EventKind.SubOrchestrationScheduled or EventKind.TimerScheduled or EventKind.EventSent;

    public override T GetInput<T>() => _converter.Deserialize<T>(_instance.Input)!;

    public override async Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null)
    {
        var data = _converter.Serialize(input);
        return await Retries.RunAsync(this, options?.Retry, () =>
            Start<TResult>(EventKind.ActivityScheduled, name, task => new Request.Activity(task, name, data)));
    }

    public override async Task<TResult> CallSubOrchestratorAsync<TResult>(TaskName orchestratorName, object? input = null,
        TaskOptions? options = null)
    {
        var data = _converter.Serialize(input);
        var version = options?.Version?.Version ?? "";
        return await Retries.RunAsync(this, options?.Retry, () =>
        {
            var id = (options as SubOrchestrationOptions)?.InstanceId ?? NewGuid().ToString("N");
            return Start<TResult>(EventKind.SubOrchestrationScheduled, orchestratorName,
                task => new Request.SubOrchestration(task, orchestratorName, id, version, data));
        });
    }

    public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken) =>
        Start<object?>(EventKind.TimerScheduled, null, task => new Request.Timer(task, fireAt.ToUniversalTime()), cancellationToken);

    public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default)
    {
        CheckThread();
        var pending = new PendingTask<T>(_converter);
        _events.Await(eventName, pending);
        cancellationToken.Register(() => pending.Cancel(cancellationToken));
        return pending.Task;
    }

    public override void SendEvent(string instanceId, string eventName, object payload)
    {
        var data = _converter.Serialize(payload);
        Schedule(EventKind.EventSent, eventName, task => new Request.SendEvent(task, instanceId, eventName, data));
    }

    public override void SetCustomStatus(object? customStatus)
    {
        CheckThread();
        CustomStatus = _converter.Serialize(customStatus);
    }

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) =>
        ContinueAsNew(new ContinueAsNewOptions { NewInput = newInput, PreserveUnprocessedEvents = preserveUnprocessedEvents });

    public override void ContinueAsNew(ContinueAsNewOptions options)
    {
        CheckThread();
        Continuation = new TurnEnd.ContinuedAsNew(_converter.Serialize(options.NewInput), options.NewVersion ?? Version,
            options.PreserveUnprocessedEvents ? _events.Unprocessed : []);
    }

    public override Guid NewGuid()
    {
        CheckThread();
        // A name-based GUID (RFC 9562, version 5) of what replays identically.
        var name = string.Create(CultureInfo.InvariantCulture, $"{_instance.Id} {_instance.Execution} {_now:O} {_nextGuid++}");
        var bytes = SHA1.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x50);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>From here on, what happens is new. Before it, the orchestrator must have made exactly the calls of its history.</summary>
    public void EndReplay()
    {
        _isReplaying = false;
        if (_nextTask > _scheduled.Count)
            Fail($"The code makes {_nextTask} durable calls where its history has {_scheduled.Count}.");
        else if (_nextTask < _scheduled.Count)
            Fail($"Its history has {Describe(_scheduled[_nextTask])} as call {_nextTask}, which the code no longer makes.");
    }

    /// <summary>Lets an event of the history happen.</summary>
    public void Apply(HistoryEvent e)
    {
        switch (e.Kind)
        {
            case EventKind.TurnStarted:
                _now = e.At;
                break;
            case EventKind.EventRaised:
                _events.Raise(e);
                break;
            case EventKind.ActivityCompleted or EventKind.SubOrchestrationCompleted or EventKind.TimerFired:
                Find(e)?.Complete(e.Data);
                break;
            case EventKind.ActivityFailed or EventKind.SubOrchestrationFailed:
                Find(e)?.Fail(new TaskFailedException(e.Name ?? "", e.Task, Failures.Read(e.Data)));
                break;
        }
    }

    /// <summary>Records that the orchestrator has left its history.</summary>
    public NonDeterministicOrchestratorException Fail(string message) => Violation ??= new NonDeterministicOrchestratorException(message);

    private Task<T> Start<T>(EventKind kind, string? name, Func<int, Request> request, CancellationToken cancellation = default)
    {
        var pending = new PendingTask<T>(_converter);
        _pending[Schedule(kind, name, request)] = pending;
        cancellation.Register(() => pending.Cancel(cancellation));
        return pending.Task;
    }

    private int Schedule(EventKind kind, string? name, Func<int, Request> request)
    {
        CheckThread();
        var task = _nextTask++;
        if (!_scheduled.TryGetValue(task, out var known)) _requests.Add(request(task));
        else if (known.Kind != kind || !string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase))
            throw Fail($"Its history has {Describe(known)} as call {task}, where the code now has {Describe(kind, name)}.");
        return task;
    }

    private PendingTask? Find(HistoryEvent e)
    {
        if (_pending.TryGetValue(e.Task, out var pending)) return pending;
        Fail($"Its history has an answer to call {e.Task}{(e.Name is null ? "" : $" ({e.Name})")}, which the code has not made.");
        return null;
    }

    private void CheckThread()
    {
        if (!_loop.IsCurrent) throw Fail("The orchestrator went on outside of its own thread, after awaiting something that is not durable.");
    }

    private static string Describe(HistoryEvent e) => Describe(e.Kind, e.Name);

    private static string Describe(EventKind kind, string? name) => kind switch
    {
        EventKind.ActivityScheduled => $"activity {name}",
        EventKind.SubOrchestrationScheduled => $"sub-orchestration {name}",
        EventKind.TimerScheduled => "a timer",
        _ => $"event {name}",
    };
}

using System.Globalization;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>The client that functions get from <c>[DurableClient]</c>.</summary>
internal sealed class LocalDurableTaskClient(DurableStore store, DataConverter converter, Pulse pulse, TimeProvider time)
    : DurableTaskClient("local")
{
    private static readonly OrchestrationRuntimeStatus[] Running =
        [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended];

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <exception cref="InvalidOperationException">There is such an instance, and its status forbids another: by default while it runs.</exception>
    public override Task<string> ScheduleNewOrchestrationInstanceAsync(TaskName orchestratorName, object? input = null,
        StartOrchestrationOptions? options = null, CancellationToken cancellation = default)
    {
        var id = options?.InstanceId ?? Guid.NewGuid().ToString("N");
        if (id.Length is 0 or > 100 || id[0] == '@' || id.Any(c => char.IsControl(c) || c is '/' or '\\' or '#' or '?'))
        {
            throw new ArgumentException(
                $"'{id}' is no instance id: 1 to 100 characters, none of / \\ # ? or a control character, and no @ in front.", nameof(options));
        }
        var now = Now;
        var refused = options?.DedupeStatuses?.Select(Enum.Parse<OrchestrationRuntimeStatus>).ToArray() ?? Running;
        var status = store.Create(new Instance
        {
            Id = id,
            Execution = Instance.NewExecution(),
            Name = orchestratorName.Name,
            Version = options?.Version?.Version ?? "",
            Input = converter.Serialize(input),
            Tags = options?.Tags ?? new Dictionary<string, string>(),
            Created = now,
            Updated = now,
        }, refused, options?.StartAt?.UtcDateTime ?? now);
        if (status is not null)
            throw new InvalidOperationException($"An orchestration instance with the id {id} exists already; its status is {status}.");
        pulse.Fire();
        return Task.FromResult(id);
    }

    public override Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(eventName);
        store.Send(instanceId, EventKind.EventRaised, eventName, converter.Serialize(eventPayload), Now);
        pulse.Fire();
        return Task.CompletedTask;
    }

    public override Task TerminateInstanceAsync(string instanceId, TerminateInstanceOptions? options = null,
        CancellationToken cancellation = default)
    {
        var reach = options?.Recursive == true ? "recursive" : null;
        store.Send(instanceId, EventKind.Terminated, reach, converter.Serialize(options?.Output), Now);
        pulse.Fire();
        return Task.CompletedTask;
    }

    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        Suspend(instanceId, true);

    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        Suspend(instanceId, false);

    public override Task<OrchestrationMetadata?> GetInstancesAsync(string instanceId, bool getInputsAndOutputs = false,
        CancellationToken cancellation = default) =>
        Task.FromResult(store.Find(instanceId) is { } instance ? Describe(instance, getInputsAndOutputs) : null);

    public override Task<OrchestrationMetadata> WaitForInstanceStartAsync(string instanceId, bool getInputsAndOutputs = false,
        CancellationToken cancellation = default) =>
        WaitAsync(instanceId, i => i.Status != OrchestrationRuntimeStatus.Pending, getInputsAndOutputs, cancellation);

    public override Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(string instanceId, bool getInputsAndOutputs = false,
        CancellationToken cancellation = default) =>
        WaitAsync(instanceId, i => i.IsEnded, getInputsAndOutputs, cancellation);

    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null)
    {
        filter ??= new OrchestrationQuery();
        return Pageable.Create<OrchestrationMetadata>((token, size, _) =>
        {
            token ??= filter.ContinuationToken;
            var from = token is null ? 0 : int.Parse(token, CultureInfo.InvariantCulture);
            var count = size ?? filter.PageSize;
            var all = store.List(filter.InstanceIdPrefix)
                .Where(i => Matches(i, filter.CreatedFrom, filter.CreatedTo, filter.Statuses)).ToList();
            var page = all.Skip(from).Take(count).Select(i => Describe(i, filter.FetchInputsAndOutputs)).ToList();
            return Task.FromResult(new Page<OrchestrationMetadata>(page,
                from + count < all.Count ? (from + count).ToString(CultureInfo.InvariantCulture) : null));
        });
    }

    public override Task<PurgeResult> PurgeInstanceAsync(string instanceId, PurgeInstanceOptions? options = null,
        CancellationToken cancellation = default) =>
        Task.FromResult(new PurgeResult(store.Purge(instanceId, options?.Recursive == true)));

    public override Task<PurgeResult> PurgeAllInstancesAsync(PurgeInstancesFilter filter, PurgeInstanceOptions? options = null,
        CancellationToken cancellation = default) =>
        Task.FromResult(new PurgeResult(store.List().Where(i => Matches(i, filter.CreatedFrom, filter.CreatedTo, filter.Statuses))
            .Sum(i => store.Purge(i.Id, options?.Recursive == true))));

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static bool Matches(Instance instance, DateTimeOffset? from, DateTimeOffset? to, IEnumerable<OrchestrationRuntimeStatus>? statuses) =>
        (from is null || instance.Created >= from.Value.UtcDateTime) && (to is null || instance.Created <= to.Value.UtcDateTime)
        && (statuses?.ToList() is not { Count: > 0 } wanted || wanted.Contains(instance.VisibleStatus));

    private Task Suspend(string instanceId, bool suspended)
    {
        store.Suspend(instanceId, suspended, Now);
        pulse.Fire();
        return Task.CompletedTask;
    }

    private async Task<OrchestrationMetadata> WaitAsync(string id, Func<Instance, bool> until, bool getInputsAndOutputs,
        CancellationToken cancellation)
    {
        while (true)
        {
            var change = pulse.Next;
            var instance = store.Find(id) ?? throw new InvalidOperationException($"There is no orchestration instance with the id {id}.");
            if (until(instance)) return Describe(instance, getInputsAndOutputs);
            await change.WaitAsync(cancellation);
        }
    }

    private OrchestrationMetadata Describe(Instance instance, bool full) => new(instance.Name, instance.Id)
    {
        RuntimeStatus = instance.VisibleStatus,
        CreatedAt = instance.Created,
        LastUpdatedAt = instance.Updated,
        FailureDetails = instance.Failure,
        Tags = instance.Tags,
        DataConverter = full ? converter : null,
        SerializedInput = full ? instance.Input : null,
        SerializedOutput = full ? instance.Output : null,
        SerializedCustomStatus = full ? instance.CustomStatus : null,
    };
}

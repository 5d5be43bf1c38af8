using System.Diagnostics;
using System.Threading.Channels;
using FunctionsPipeline.LocalHost.Functions;
using Microsoft.DurableTask;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>
/// Runs activities, at most so many at once as host.json says. An activity whose answer was not recorded when the process ended is run
/// again at the next start: at least once, as on Azure.
/// </summary>
internal sealed class ActivityWorker(DurableStore store, FunctionCatalog catalog, IServiceScopeFactory scopes, DataConverter converter,
    Pulse pulse, HostSettings settings, TimeProvider time, ILogger<ActivityWorker> logger) : BackgroundService
{
    private readonly Channel<ActivityWork> _queue = Channel.CreateUnbounded<ActivityWork>();

    public void Enqueue(ActivityWork work) => _queue.Writer.TryWrite(work);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Before any orchestrator runs, so that nothing is queued twice.
        foreach (var work in store.PendingActivities()) Enqueue(work);
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, settings.MaxConcurrentActivities)
            .Select(_ => Task.Run(() => ConsumeAsync(stoppingToken), CancellationToken.None)));

    private async Task ConsumeAsync(CancellationToken stopping)
    {
        try
        {
            await foreach (var work in _queue.Reader.ReadAllAsync(stopping))
            {
                if (store.IsWanted(work)) await RunAsync(work, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What was running or waiting is still in the store, for the next start.
        }
    }

    private async Task RunAsync(ActivityWork work, CancellationToken stopping)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            var output = await InvokeAsync(work, stopping);
            store.Answer(work, EventKind.ActivityCompleted, converter.Serialize(output), time.GetUtcNow().UtcDateTime);
            Logs.ActivityCompleted(logger, work.Name, work.Task, work.Instance, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            throw new OperationCanceledException(stopping);
        }
        catch (Exception e)
        {
            store.Answer(work, EventKind.ActivityFailed, Failures.Write(Failures.Of(e)), time.GetUtcNow().UtcDateTime);
            Logs.ActivityFailed(logger, work.Name, work.Task, work.Instance, e.GetType().Name, e.Message);
        }
        pulse.Fire();
    }

    private async Task<object?> InvokeAsync(ActivityWork work, CancellationToken stopping)
    {
        var function = catalog.Activity(work.Name) ?? throw new InvalidOperationException(catalog.UnknownActivity(work.Name));
        await using var scope = scopes.CreateAsyncScope();
        var bindingData = new Dictionary<string, object?> { ["instanceId"] = work.Instance };
        var context = new LocalFunctionContext(function, scope.ServiceProvider, bindingData, stopping);
        return await FunctionInvoker.Result(FunctionInvoker.Invoke(context, parameter =>
            parameter == function.TriggerParameter ? new Bound(Input(parameter.ParameterType)) : null));

        object? Input(Type type) => type == typeof(TaskActivityContext)
            ? new LocalActivityContext(work)
            : converter.Deserialize(work.Input, type) ?? (type.IsValueType ? Activator.CreateInstance(type) : null);
    }

    private sealed class LocalActivityContext(ActivityWork work) : TaskActivityContext
    {
        public override TaskName Name => work.Name;

        public override string InstanceId => work.Instance;
    }
}

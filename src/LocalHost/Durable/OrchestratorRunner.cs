using FunctionsPipeline.LocalHost.Functions;
using Microsoft.DurableTask;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>Runs one turn: replays an orchestrator over its history, then lets the new events happen.</summary>
internal sealed class OrchestratorRunner(FunctionCatalog catalog, IServiceScopeFactory scopes, DataConverter converter, ILoggerFactory loggers)
{
    public TurnResult Run(TurnInput turn, DateTime now, CancellationToken cancellation)
    {
        var events = turn.Messages.Select(m => new HistoryEvent(m.Kind, m.Task, m.Name, m.Data, now))
            .Prepend(new HistoryEvent(EventKind.TurnStarted, -1, null, null, now))
            .ToList();
        var status = turn.Instance.CustomStatus;
        if (events.Find(e => e.Kind == EventKind.Terminated) is { } terminated)
            return new TurnResult(events, [], status, new TurnEnd.Terminated(terminated.Data, terminated.Name is not null));
        if (catalog.Orchestrator(turn.Instance.Name) is not { } function)
            return new TurnResult(events, [], status, Failed(new InvalidOperationException(catalog.UnknownOrchestrator(turn.Instance.Name))));
        using var scope = scopes.CreateScope();
        return Replay(function, turn, events, scope.ServiceProvider, cancellation);
    }

    private TurnResult Replay(FunctionDescriptor function, TurnInput turn, List<HistoryEvent> events, IServiceProvider services,
        CancellationToken cancellation)
    {
        var loop = new OrchestratorLoop();
        var context = new LocalOrchestrationContext(turn.Instance, turn.History, loop, converter, loggers);
        var outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(loop);
        try
        {
            Task<object?>? orchestrator = null;
            foreach (var e in turn.History.Where(e => !LocalOrchestrationContext.IsScheduling(e))) Happen(e);
            if (orchestrator is { IsCompleted: true }) context.Fail("The code ends before its history does.");
            context.EndReplay();
            if (context.Violation is null) events.ForEach(Happen);
            return context.Violation is { } violation
                ? new TurnResult(events, [], context.CustomStatus, Failed(violation))
                : new TurnResult(events, context.Requests, context.CustomStatus, End(orchestrator, context));

            void Happen(HistoryEvent e)
            {
                if (e.Kind == EventKind.ExecutionStarted) orchestrator = Start(function, context, turn.Instance, services, cancellation);
                else context.Apply(e);
                loop.Drain();
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    private async Task<object?> Start(FunctionDescriptor function, LocalOrchestrationContext context, Instance instance,
        IServiceProvider services, CancellationToken cancellation)
    {
        var bindingData = new Dictionary<string, object?> { ["instanceId"] = instance.Id };
        var invocation = new LocalFunctionContext(function, services, bindingData, cancellation);
        var returned = FunctionInvoker.Invoke(invocation, parameter =>
        {
            if (parameter == function.TriggerParameter) return new Bound(context);
            // As in the isolated worker, any other parameter is the orchestration's input.
            return bindingData.ContainsKey(parameter.Name!) ? null : new Bound(converter.Deserialize(instance.Input, parameter.ParameterType));
        });
        return await FunctionInvoker.Result(returned);
    }

    private TurnEnd? End(Task<object?>? orchestrator, LocalOrchestrationContext context)
    {
        if (orchestrator is { IsCompleted: false })
        {
            return context.IsWaiting ? null : Failed(new NonDeterministicOrchestratorException(
                "The orchestrator waits for something that is not durable, such as Task.Delay or an HTTP call; do that in an activity."));
        }
        try
        {
            var output = orchestrator?.GetAwaiter().GetResult();
            return (TurnEnd?)context.Continuation ?? new TurnEnd.Completed(converter.Serialize(output));
        }
        catch (Exception e)
        {
            return Failed(e);
        }
    }

    private static TurnEnd.Failed Failed(Exception exception) => new(Failures.Of(exception));
}

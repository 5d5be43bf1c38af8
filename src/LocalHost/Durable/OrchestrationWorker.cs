using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>Gives a turn to every instance that has something to do: one turn at a time to an instance, several instances at once.</summary>
internal sealed class OrchestrationWorker(DurableStore store, OrchestratorRunner runner, ActivityWorker activities, Pulse pulse,
    HostSettings settings, TimeProvider time, ILogger<OrchestrationWorker> logger) : BackgroundService
{
    /// <summary>A clock can be set back, and a sleep has an upper limit: look again at least this often.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, Task> _turns = new();
    private readonly SemaphoreSlim _slots = new(settings.MaxConcurrentOrchestrators);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var change = pulse.Next;
            var now = time.GetUtcNow().UtcDateTime;
            foreach (var id in store.Due(now))
            {
                // Started outside of the dictionary's own call: the turn removes its entry, and must find it.
                if (_turns.ContainsKey(id)) continue;
                var begin = new TaskCompletionSource();
                _turns[id] = RunAsync(id, begin.Task, stoppingToken);
                begin.SetResult();
            }
            await SleepAsync(change, store.NextDue(now) - now, stoppingToken);
        }
        await Task.WhenAll(_turns.Values);
    }

    private async Task SleepAsync(Task change, TimeSpan? untilDue, CancellationToken stopping)
    {
        using var awake = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var sleep = untilDue < LongestSleep ? untilDue.Value : LongestSleep;
        await Task.WhenAny(change, Task.Delay(sleep, time, awake.Token));
        await awake.CancelAsync();
    }

    private async Task RunAsync(string id, Task begin, CancellationToken stopping)
    {
        await begin;
        try
        {
            await _slots.WaitAsync(stopping);
            try
            {
                await Task.Run(() => Turn(id, stopping), stopping);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The messages are still there for the next start.
        }
        catch (Exception e)
        {
            Logs.TurnFailed(logger, id, e);
            await Task.Delay(TimeSpan.FromSeconds(1), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            _turns.TryRemove(id, out _);
            pulse.Fire();
        }
    }

    private void Turn(string id, CancellationToken stopping)
    {
        var now = time.GetUtcNow().UtcDateTime;
        if (store.Load(id, now) is not { } turn) return;
        if (turn.History.Count == 0) Logs.OrchestrationStarted(logger, turn.Instance.Name, id);
        var result = runner.Run(turn, now, stopping);
        var work = store.Commit(turn, result, time.GetUtcNow().UtcDateTime);
        foreach (var activity in work) activities.Enqueue(activity);
        Log(turn.Instance, result.End);
    }

    private void Log(Instance instance, TurnEnd? end)
    {
        switch (end)
        {
            case TurnEnd.Completed:
                Logs.OrchestrationCompleted(logger, instance.Name, instance.Id);
                break;
            case TurnEnd.Failed { Failure: var failure }:
                Logs.OrchestrationFailed(logger, instance.Name, instance.Id, failure.ToString());
                break;
            case TurnEnd.Terminated:
                Logs.OrchestrationTerminated(logger, instance.Name, instance.Id);
                break;
            case TurnEnd.ContinuedAsNew:
                Logs.OrchestrationContinued(logger, instance.Name, instance.Id);
                break;
        }
    }
}

using System.Diagnostics;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Worker.Messages;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>Keeps one worker running: restarts it when it ends, after a pause that doubles each time.</summary>
/// <param name="appFolder">Build output of the app.</param>
/// <param name="environment">Environment variables of the worker in addition to this process's own.</param>
internal sealed class WorkerSupervisor(
    string appFolder, WorkerGateway gateway, IReadOnlyDictionary<string, string?> environment, ILoggerFactory logs) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    // Longer than the minute that a worker waits for a debugger.
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan TerminationLimit = TimeSpan.FromSeconds(5);

    // A worker that ran this long has started properly: its end resets the pause between restarts.
    private static readonly TimeSpan Stable = TimeSpan.FromMinutes(1);

    private readonly ILogger _logger = logs.CreateLogger("Worker");
    private readonly CancellationTokenSource _stopping = new();
    private volatile TaskCompletionSource<WorkerChannel> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WorkerProcess? _process;
    private Task _watching = Task.CompletedTask;

    /// <summary>Process id of the current worker.</summary>
    public int ProcessId => _process?.ProcessId ?? 0;

    /// <summary>Starts the first worker.</summary>
    /// <returns>The functions of the app.</returns>
    /// <exception cref="InvalidOperationException">The worker ended or did not answer; the message has the end of its output.</exception>
    public async Task<IReadOnlyList<RpcFunctionMetadata>> StartAsync(CancellationToken cancellationToken)
    {
        var (channel, functions) = await StartWorkerAsync(cancellationToken);
        _watching = WatchAsync(channel);
        return functions;
    }

    /// <summary>Waits for a ready worker and returns its channel.</summary>
    public Task<WorkerChannel> GetAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    /// <summary>Asks the worker to exit, and kills it when it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_process is { } process)
        {
            if (_ready.Task.IsCompletedSuccessfully) (await _ready.Task).Terminate();
            else process.Kill(withChildren: true);
            try
            {
                await process.WaitForExitAsync().WaitAsync(TerminationLimit);
            }
            catch (TimeoutException)
            {
                Logs.WorkerKilled(_logger, TerminationLimit.TotalSeconds);
                process.Kill(withChildren: true);
            }
        }
        await _watching;
        _process?.Dispose();
        _stopping.Dispose();
    }

    private async Task WatchAsync(WorkerChannel channel)
    {
        var pause = FirstPause;
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            await channel.Closed;
            if (_stopping.IsCancellationRequested) return;
            _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
            // The stream also ends when a worker hangs; such a worker serves no more, so it is killed as well. Jobs that it started
            // continue.
            _process!.Kill(withChildren: false);
            var end = await _process.WaitForExitAsync();
            if (Stopwatch.GetElapsedTime(started) > Stable) pause = FirstPause;
            while (true)
            {
                Logs.WorkerEnded(_logger, end, pause.TotalSeconds);
                await Task.Delay(pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_stopping.IsCancellationRequested) return;
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                try
                {
                    (channel, _) = await StartWorkerAsync(_stopping.Token);
                    break;
                }
                catch (Exception e) when (e is InvalidOperationException or WorkerProcessExitException)
                {
                    end = e.Message;
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    private async Task<(WorkerChannel Channel, IReadOnlyList<RpcFunctionMetadata> Functions)> StartWorkerAsync(
        CancellationToken cancellationToken)
    {
        var process = WorkerProcess.Start(appFolder, gateway.Address, environment, _logger);
        Interlocked.Exchange(ref _process, process)?.Dispose();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        giveUp.CancelAfter(StartLimit);
        var ready = GreetAsync(process, giveUp.Token);
        var exit = process.WaitForExitAsync();
        if (await Task.WhenAny(ready, exit) == exit)
        {
            await giveUp.CancelAsync();
            throw new InvalidOperationException($"The worker of {appFolder} ended before it was ready: {await exit}");
        }
        if (!ready.IsCompletedSuccessfully) process.Kill(withChildren: true);
        if (ready.IsCanceled && !cancellationToken.IsCancellationRequested)
            throw new InvalidOperationException($"The worker of {appFolder} was not ready within {StartLimit.TotalMinutes:0} minutes.");
        var (channel, functions) = await ready;
        Logs.WorkerStarted(_logger, process.ProcessId, functions.Count);
        _ready.TrySetResult(channel);
        return (channel, functions);
    }

    private async Task<(WorkerChannel Channel, IReadOnlyList<RpcFunctionMetadata> Functions)> GreetAsync(
        WorkerProcess process, CancellationToken cancellationToken)
    {
        var channel = await gateway.AcceptAsync(process.Id, cancellationToken);
        await channel.InitializeAsync(appFolder, cancellationToken);
        var functions = await channel.LoadFunctionsAsync(appFolder, cancellationToken);
        // The worker reports its HTTP URL before its server listens.
        while (channel.Http is { } http && !await FreePort.AnswersAsync(http.Port, cancellationToken))
            await Task.Delay(20, cancellationToken);
        return (channel, functions);
    }
}

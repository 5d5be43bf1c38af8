using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
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
    // Longer than the minute that a worker waits for a debugger.
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan TerminationLimit = TimeSpan.FromSeconds(5);

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
        var pauses = new RestartPauses(TimeProvider.System);
        while (true)
        {
            pauses.Started();
            await channel.Closed;
            if (_stopping.IsCancellationRequested) return;
            // A call that takes the old channel before this line fails with WorkerProcessExitException, as the channel is closed.
            _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
            // The stream also ends when a worker hangs; such a worker serves no more, so it is killed as well. Jobs that it started
            // continue.
            _process!.Kill(withChildren: false);
            var end = await _process.WaitForExitAsync();
            while (true)
            {
                var pause = pauses.Next();
                Logs.WorkerEnded(_logger, end, pause.TotalSeconds);
                await Task.Delay(pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_stopping.IsCancellationRequested) return;
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
        var process = WorkerProcess.Start(appFolder, gateway.Url, environment, _logger);
        Interlocked.Exchange(ref _process, process)?.Dispose();
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(StartLimit);
        var ready = GreetAsync(process, timeout.Token);
        var exit = process.WaitForExitAsync();
        if (await Task.WhenAny(ready, exit) == exit)
        {
            await timeout.CancelAsync();
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
        return (channel, await channel.LoadFunctionsAsync(appFolder, cancellationToken));
    }
}

/// <summary>Worker process of an app, started with the arguments that the Azure Functions host passes.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private const int RememberedLines = 20;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lastLines = new();
    private readonly Task<string> _end;

    private WorkerProcess(string id, Process process, ILogger logger)
    {
        Id = id;
        _process = process;
        process.OutputDataReceived += (_, line) => Remember(line.Data, logger);
        process.ErrorDataReceived += (_, line) => Remember(line.Data, logger);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _end = EndAsync();
    }

    /// <summary>Worker id with which the worker opens its gRPC stream.</summary>
    public string Id { get; }

    public int ProcessId => _process.Id;

    /// <param name="appFolder">Build output of the app, with <c>worker.config.json</c>.</param>
    /// <param name="gateway">URL of the gRPC server that the worker connects to.</param>
    /// <param name="environment">Environment variables in addition to this process's own.</param>
    /// <exception cref="InvalidOperationException">The folder has no isolated app, or the app cannot be started.</exception>
    public static WorkerProcess Start(string appFolder, Uri gateway, IReadOnlyDictionary<string, string?> environment, ILogger logger)
    {
        var id = Guid.NewGuid().ToString();
        var requestId = Guid.NewGuid().ToString();
        var start = ChildProcess.CreateStart(
        [
            "dotnet", Path.Combine(appFolder, ReadWorkerPath(appFolder)),
            // The Functions host passes both generations of names: --functions-… is what current workers read.
            "--host", gateway.Host, "--port", $"{gateway.Port}", "--workerId", id, "--requestId", requestId,
            "--grpcMaxMessageLength", $"{int.MaxValue}",
            "--functions-uri", gateway.ToString(), "--functions-worker-id", id, "--functions-request-id", requestId,
            "--functions-grpc-max-message-length", $"{int.MaxValue}",
        ]);
        start.WorkingDirectory = appFolder;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"The worker of {appFolder} did not start.");
        return new WorkerProcess(id, process, logger);
    }

    /// <summary>Completes when the process has ended.</summary>
    /// <returns>The exit code and the end of the output, as text.</returns>
    public Task<string> WaitForExitAsync() => _end;

    /// <summary>Kills the process.</summary>
    /// <param name="withChildren">True to kill its descendants as well, such as jobs.</param>
    public void Kill(bool withChildren)
    {
        if (!_process.HasExited) _process.Kill(withChildren);
    }

    public void Dispose() => _process.Dispose();

    private async Task<string> EndAsync()
    {
        await _process.WaitForExitAsync();
        _process.StandardInput.Close();
        var output = _lastLines.IsEmpty ? "" : $", and the end of its output is:\n{string.Join('\n', _lastLines)}";
        return $"exit code {_process.ExitCode}{output}";
    }

    private void Remember(string? line, ILogger logger)
    {
        if (line is null) return;
        _lastLines.Enqueue(line);
        if (_lastLines.Count > RememberedLines) _lastLines.TryDequeue(out _);
        Logs.OfWorker(logger, LogLevel.Information, line);
    }

    private static string ReadWorkerPath(string appFolder)
    {
        var file = Path.Combine(appFolder, "worker.config.json");
        if (!File.Exists(file))
        {
            throw new InvalidOperationException($"{appFolder} holds no isolated Functions app: worker.config.json is missing. " +
                "Point at a build output, such as bin/Release/net10.0.");
        }
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        return document.RootElement.GetProperty("description").GetProperty("defaultWorkerPath").GetString()
            ?? throw new InvalidOperationException($"{file} names no defaultWorkerPath.");
    }
}

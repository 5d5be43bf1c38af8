using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Worker;

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

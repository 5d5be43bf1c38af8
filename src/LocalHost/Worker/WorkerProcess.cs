using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>An app's own worker process, started as the Azure Functions host starts it.</summary>
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

    /// <summary>The id with which the worker opens its stream.</summary>
    public string Id { get; }

    public int ProcessId => _process.Id;

    /// <param name="appFolder">The app's build output, with <c>worker.config.json</c>.</param>
    /// <param name="gateway">Where the worker connects.</param>
    /// <param name="environment">Variables on top of this process's own.</param>
    /// <exception cref="InvalidOperationException">There is no isolated app in the folder, or it cannot be started.</exception>
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
    /// <returns>Its exit code and the end of its output.</returns>
    public Task<string> WaitForExitAsync() => _end;

    /// <summary>Ends it at once.</summary>
    /// <param name="withChildren">Ends what it started too, such as jobs.</param>
    public void Kill(bool withChildren)
    {
        if (!_process.HasExited) _process.Kill(withChildren);
    }

    public void Dispose() => _process.Dispose();

    private async Task<string> EndAsync()
    {
        await _process.WaitForExitAsync();
        _process.StandardInput.Close();
        return $"exit code {_process.ExitCode}{(_lastLines.IsEmpty ? "" : $", and the end of its output is:\n{string.Join('\n', _lastLines)}")}";
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

using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Shared;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>
/// Runs GPU jobs as child processes of the host: <c>{GpuWorker:Command} train --run {run}</c>. The jobs end with the host; a job that
/// outlived a killed host is found again by the next one.
/// </summary>
internal sealed class LocalProcessGpuJobs(
    IConfiguration configuration, IOptions<PipelineOptions> options, ILogger<LocalProcessGpuJobs> logger) : IGpuJobs, IHostedService
{
    private static readonly TimeSpan LastOutputPatience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, Child> _started = new();
    private readonly SemaphoreSlim _starting = new(1);

    private sealed record Child(Process Process, Task Output);

    public string? SetupProblem => Command is null
        ? "The setting GpuWorker:Command is missing: the command line that starts the GPU worker, without which nothing can be trained."
        : null;

    private GpuWorkerCommand? Command => GpuWorkerCommand.Parse(options.Value.GpuWorker.Command);

    public async Task<string> StartAsync(string run, int attempt, CancellationToken cancellationToken)
    {
        var job = $"{run}-{attempt}";
        await _starting.WaitAsync(cancellationToken);
        try
        {
            if ((await GetStatusAsync(job, cancellationToken)).State == GpuJobState.Running) return job;
            Start(run, job);
            return job;
        }
        finally
        {
            _starting.Release();
        }
    }

    public async Task<GpuJobStatus> GetStatusAsync(string job, CancellationToken cancellationToken)
    {
        var files = Files(job);
        if (_started.TryGetValue(job, out var child))
        {
            if (!child.Process.HasExited) return new GpuJobStatus(GpuJobState.Running);
            // A grandchild may hold the output pipe open after the job has ended, so the wait for the output has a limit.
            await Task.WhenAny(child.Output, Task.Delay(LastOutputPatience, cancellationToken));
            return new GpuJobStatus(GpuJobState.Exited, child.Process.ExitCode, files.LastOutput());
        }

        using var orphan = files.Find();
        return orphan is not null ? new GpuJobStatus(GpuJobState.Running)
            : files.WasStarted ? new GpuJobStatus(GpuJobState.Exited, LastOutput: files.LastOutput())
            : new GpuJobStatus(GpuJobState.Unknown);
    }

    public async Task StopAsync(string job, CancellationToken cancellationToken)
    {
        if (_started.TryGetValue(job, out var child))
        {
            await KillAsync(job, child.Process, cancellationToken);
            return;
        }
        using var orphan = Files(job).Find();
        if (orphan is not null) await KillAsync(job, orphan, cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_started.Select(pair => KillAsync(pair.Key, pair.Value.Process, cancellationToken)));

    private void Start(string run, string job)
    {
        var files = Files(job);
        var command = Command ?? throw new PermanentFailureException(SetupProblem!);
        var start = new ProcessStartInfo(command.FileName, [.. command.Arguments, "train", "--run", run])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in configuration.GetSection(PipelineStorage.Connection).AsEnumerable())
            if (value is not null) start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        foreach (var (key, value) in PipelineTracing.JobEnvironment()) start.Environment[key] = value;

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new PermanentFailureException($"The GPU worker cannot be started as '{command.FileName}' (setting GpuWorker:Command): {e.Message}.", e);
        }
        files.Remember(process);
        var output = CopyOutputAsync(process, files.LogPath);
        _started[job] = new Child(process, output);
        Logs.JobStarted(logger, job, process.Id, files.LogPath);
    }

    private static async Task CopyOutputAsync(Process process, string path)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        await using var log = TextWriter.Synchronized(new StreamWriter(file) { AutoFlush = true });
        await Task.WhenAll(CopyAsync(process.StandardOutput), CopyAsync(process.StandardError));

        async Task CopyAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync() is { } line) log.WriteLine(line);
        }
    }

    private async Task KillAsync(string job, Process process, CancellationToken cancellationToken)
    {
        if (process.HasExited) return;
        // SIGTERM makes the worker write a checkpoint from which its run can resume.
        await ProcessTree.StopAsync(process, options.Value.GpuJobs.StopTimeout, cancellationToken);
        Logs.JobStopped(logger, job);
    }

    private JobProcess Files(string job) => new(Directory.CreateDirectory(options.Value.GpuJobs.LogFolder).FullName, job);
}

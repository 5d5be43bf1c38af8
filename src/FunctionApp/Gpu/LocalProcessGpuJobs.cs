using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Shared;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>
/// Runs GPU jobs as child processes of the host: <c>{GpuWorker:Command} train --run {run} --cache {GpuJobs:CacheFolder}</c>. The jobs end
/// with the host; a job that outlived a killed host is found again by the next one.
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
            // The semaphore joins check and start: two executions of the activity at once start one process.
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
        string[] arguments = [.. command.Arguments, "train", "--run", run, "--cache", options.Value.GpuJobs.CacheFolder];
        var start = new ProcessStartInfo(command.FileName, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in configuration.GetSection(PipelineStorage.Connection).AsEnumerable())
        {
            // .NET reads "__" in the name of an environment variable as ":", which shells do not allow in it.
            if (value is not null) start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }
        foreach (var (key, value) in PipelineTracing.JobEnvironment()) start.Environment[key] = value;

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new PermanentFailureException(
                $"The GPU worker cannot be started as '{command.FileName}' (setting GpuWorker:Command): {e.Message}.", e);
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

    private JobFiles Files(string job) => new(Directory.CreateDirectory(options.Value.GpuJobs.LogFolder).FullName, job);
}

/// <summary>Command line that starts the GPU worker on this machine.</summary>
internal sealed partial record GpuWorkerCommand(string FileName, IReadOnlyList<string> Arguments)
{
    /// <summary>Parses the setting <see cref="GpuWorkerOptions.Command"/>. Null when it names no program.</summary>
    public static GpuWorkerCommand? Parse(string? setting)
    {
        var parts = Part().Matches(setting ?? "").Select(match => match.Value.Replace("\"", "", StringComparison.Ordinal)).ToList();
        return parts.Count > 0 && parts[0].Length > 0 ? new GpuWorkerCommand(parts[0], parts[1..]) : null;
    }

    // A part is a run of quoted pieces and of characters other than white space and quotes, as in a shell: --x="a b" is one part.
    [GeneratedRegex("""(?:"[^"]*"|[^\s"])+""")]
    private static partial Regex Part();
}

/// <summary>Files of one local job: its output and its process id, by which a restarted host finds the job again.</summary>
internal sealed class JobFiles(string folder, string job)
{
    // The end of the log that is searched for its last lines.
    private const int TailBytes = 8192;

    // Linux counts a start time in ticks since boot; another host process may convert these to a slightly different time.
    private static readonly TimeSpan StartTimeTolerance = TimeSpan.FromSeconds(2);

    public string LogPath { get; } = Path.Combine(folder, $"{job}.log");

    private string PidPath { get; } = Path.Combine(folder, $"{job}.pid");

    /// <summary>Writes the id and the start time of the job's process.</summary>
    public void Remember(Process process) =>
        File.WriteAllText(
            PidPath, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {StartTime(process) ?? DateTime.UnixEpoch:O}"));

    /// <summary>True when the job was ever started on this machine.</summary>
    public bool WasStarted => File.Exists(PidPath);

    /// <summary>Finds the job's process; null when it has ended. The start time tells it from a later process with the same id.</summary>
    public Process? Find()
    {
        if (!WasStarted) return null;
        var parts = File.ReadAllText(PidPath).Split(' ');
        if (parts.Length != 2
            || !int.TryParse(parts[0], CultureInfo.InvariantCulture, out var id)
            || !DateTime.TryParse(parts[1], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var started))
        {
            return null;
        }
        try
        {
            var process = Process.GetProcessById(id);
            if (StartTime(process) is { } actual && (actual - started).Duration() < StartTimeTolerance) return process;
            process.Dispose();
            return null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static DateTime? StartTime(Process process)
    {
        try
        {
            return process.StartTime.ToUniversalTime();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // The process ended before or during the call.
            return null;
        }
    }

    /// <summary>Reads the last lines of the job's output; null when there is none.</summary>
    public string? LastOutput(int lines = 20)
    {
        if (!File.Exists(LogPath)) return null;
        using var stream = new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Seek(-Math.Min(stream.Length, TailBytes), SeekOrigin.End);
        using var reader = new StreamReader(stream);
        var tail = string.Join('\n', reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(lines));
        return tail.Length == 0 ? null : tail;
    }
}

/// <summary>Stops a process with all its descendants. The .NET library can only kill a process, not send it SIGTERM.</summary>
internal static class ProcessTree
{
    private const int SigTerm = 15;

    /// <summary>
    /// Sends SIGTERM to a process and its descendants, and kills those that are left when their time has passed.
    /// </summary>
    /// <param name="patience">Time to end in; 0 kills at once, as does a system without <c>/proc</c>.</param>
    /// <param name="cancellationToken">Ends the wait and kills at once.</param>
    public static async Task StopAsync(Process process, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (patience > TimeSpan.Zero && Directory.Exists("/proc/self"))
        {
            // Listed before the first signal: a process whose parent has ended belongs to init and is found no more.
            var members = Descendants(process.Id).Append(process.Id).Select(Find).OfType<Process>().ToList();
            foreach (var member in members) _ = Kill(member.Id, SigTerm);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(patience);
            foreach (var member in members) await StopAsync(member, limit.Token);
        }
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
    }

    private static async Task StopAsync(Process member, CancellationToken patience)
    {
        using (member)
        {
            try
            {
                await member.WaitForExitAsync(patience);
            }
            catch (OperationCanceledException)
            {
                member.Kill(entireProcessTree: true);
            }
        }
    }

    private static Process? Find(int id)
    {
        try
        {
            return Process.GetProcessById(id);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static List<int> Descendants(int id)
    {
        var parents = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var process) ? process : 0)
            .Where(process => process > 0).ToDictionary(process => process, Parent);
        // Breadth first: the list grows while it is searched for children.
        var found = new List<int> { id };
        for (var i = 0; i < found.Count; i++) found.AddRange(parents.Where(pair => pair.Value == found[i]).Select(pair => pair.Key));
        return found[1..];
    }

    private static int Parent(int id)
    {
        try
        {
            // /proc/{id}/stat reads "1234 (name) S 1 …": state and parent follow the last parenthesis, as the name may contain some.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}

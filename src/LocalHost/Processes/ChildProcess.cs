using System.Diagnostics;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Child process with its output in a log file. It ends when this process ends.</summary>
public sealed class ChildProcess : IAsyncDisposable
{
    // Kills the child when this process ends, even by SIGKILL: a shell beside it waits for the end of a pipe that this process holds open.
    // The session of its own (setsid) keeps the terminal's Ctrl-C from the child, because this process stops its children in order.
    // exec and setsid keep the process id $$: setsid forks only as the leader of a process group, which this shell is not. The watcher's
    // output goes to /dev/null, as it would hold the pipe of the child's output open after the child's end.
    // The watcher outlives a signal to the process group that it shares with this process.
    private const string EndsWithParent =
        "exec 3<&0; (trap '' HUP INT TERM; cat <&3; kill -9 $$) >/dev/null 2>&1 & exec setsid \"$@\" 3<&- </dev/null";

    private readonly Process _process;
    private readonly Task _output;
    private readonly TimeSpan _grace;

    private ChildProcess(string name, string logFile, Process process, Task output, TimeSpan grace)
    {
        Name = name;
        LogFile = logFile;
        _process = process;
        _output = output;
        _grace = grace;
    }

    /// <summary>Name of the process in messages.</summary>
    public string Name { get; }

    public int Id => _process.Id;

    /// <summary>Path of the log file with the standard output and error.</summary>
    public string LogFile { get; }

    /// <summary>Starts <paramref name="command"/> with this process's environment, extended by <paramref name="environment"/>.</summary>
    /// <param name="grace">Time between the request to stop and the kill; ten seconds when left out.</param>
    public static ChildProcess Start(
        string name, string logFolder, IEnumerable<string> command,
        IReadOnlyDictionary<string, string?>? environment = null, TimeSpan? grace = null)
    {
        Directory.CreateDirectory(logFolder);
        var logFile = Path.Combine(logFolder, $"{name}.log");
        var start = CreateStart(command);
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>()) start.Environment[key] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{name} did not start");
        var log = TextWriter.Synchronized(new StreamWriter(logFile, append: true) { AutoFlush = true });
        var output = Task.Run(async () =>
        {
            await Task.WhenAll(CopyLines(process.StandardOutput, log), CopyLines(process.StandardError, log));
            await log.DisposeAsync();
        });
        return new ChildProcess(name, logFile, process, output, grace ?? TimeSpan.FromSeconds(10));
    }

    /// <summary>
    /// Creates the start information of a program that ends with this process and receives no signals of the terminal. The caller must keep
    /// its standard input open until the program has ended.
    /// </summary>
    public static ProcessStartInfo CreateStart(IEnumerable<string> command) => new("/bin/sh", ["-c", EndsWithParent, "sh", .. command])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    /// <summary>Runs a program to its end and returns its output.</summary>
    /// <exception cref="InvalidOperationException">The exit code was not 0; the message has the end of the output.</exception>
    public static async Task<string> RunAsync(string name, IEnumerable<string> command, CancellationToken cancellationToken)
    {
        var words = command.ToList();
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{name} did not start");
        try
        {
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            var text = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? text
                : throw new InvalidOperationException($"{name} ended with exit code {process.ExitCode}: {(await errors).Trim()}");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Waits until the program answers.</summary>
    /// <exception cref="InvalidOperationException">The program ended, or did not answer in time; the message quotes its log.</exception>
    public async Task WaitUntilAsync(Func<CancellationToken, Task<bool>> answers, TimeSpan limit, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (!await answers(cancellationToken))
        {
            if (_process.HasExited) throw Ended();
            if (clock.Elapsed > limit)
                throw new InvalidOperationException($"{Name} did not answer within {limit.TotalSeconds:0} s.{LogEnd()}");
            await Task.Delay(100, cancellationToken);
        }
    }

    /// <summary>Waits for the program to end.</summary>
    /// <returns>The exit code; 128 and the signal's number when a signal ended the program.</returns>
    public async Task<int> WaitForExitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Asks the program to stop, and kills it and its descendants when it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) Signals.Send(_process.Id, Signals.Terminate);
        using var patience = new CancellationTokenSource(_grace);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }
        // Ends the watching shell. Closed before the program has ended, it would kill the program.
        _process.StandardInput.Close();
        await _output;
        _process.Dispose();
    }

    private InvalidOperationException Ended() => new($"{Name} ended with exit code {_process.ExitCode}.{LogEnd()}");

    private string LogEnd() => $" The end of {LogFile}:\n{string.Join('\n', ReadLog().TakeLast(20))}";

    private IEnumerable<string> ReadLog()
    {
        using var stream = new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line) yield return line;
    }

    private static async Task CopyLines(StreamReader from, TextWriter to)
    {
        while (await from.ReadLineAsync() is { } line) await to.WriteLineAsync(line);
    }
}

using System.Globalization;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>One of the processes of a local stack: listens on a port, and is started again when it ends by itself.</summary>
/// <param name="name">Name in messages and of the log file.</param>
/// <param name="port">TCP port that the process listens on.</param>
/// <param name="start">Starts the process.</param>
/// <param name="time">Clock of the pauses between starts.</param>
/// <param name="isReady">Asks the listening process if it is ready; null when it is as soon as it listens.</param>
internal sealed class StackPart(
    string name, int port, Func<ChildProcess> start, TimeProvider time, Func<CancellationToken, Task<bool>>? isReady = null)
    : IAsyncDisposable
{
    private const int MostFailedStarts = 10;
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    private ChildProcess? _process;

    /// <summary>Starts the process and returns when it is ready.</summary>
    /// <exception cref="InvalidOperationException">The port is taken, or the process ended or was not ready in time.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // What listens there already would pass for the process that is started below.
        if (await FreePort.AnswersAsync(port, cancellationToken))
        {
            throw new InvalidOperationException(
                $"Port {port}, which {name} needs, is taken: stop what listens there, or choose another port.");
        }
        _process = start();
        await _process.WaitUntilAsync(
            async stop => await FreePort.AnswersAsync(port, stop) && (isReady is null || await isReady(stop)),
            StartLimit,
            cancellationToken);
    }

    /// <summary>Starts the process again whenever it ends, after a pause, until cancellation.</summary>
    /// <param name="say">Receives a line for each end and each start.</param>
    /// <exception cref="InvalidOperationException">The process could not be started ten times in a row.</exception>
    public async Task KeepRunningAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var pauses = new RestartPauses(time);
        while (true)
        {
            pauses.Started();
            var log = _process!.LogFile;
            var end = $"ended with exit code {await _process.WaitForExitAsync(cancellationToken)}";
            for (var failures = 0; ;)
            {
                var pause = pauses.Next();
                say(string.Create(
                    CultureInfo.InvariantCulture, $"{name} {end} and is started again in {pause.TotalSeconds:0.#} s (its log: {log})"));
                await Task.Delay(pause, time, cancellationToken);
                try
                {
                    await DisposeAsync();
                    await StartAsync(cancellationToken);
                    break;
                }
                catch (InvalidOperationException e)
                {
                    if (++failures == MostFailedStarts)
                        throw new InvalidOperationException($"{name} could not be started {failures} times in a row. {e.Message}", e);
                    end = "did not start";
                }
            }
            say($"{name} runs again");
        }
    }

    /// <summary>Stops the process.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is not { } process) return;
        _process = null;
        await process.DisposeAsync();
    }
}

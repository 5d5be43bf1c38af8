using System.Diagnostics;

namespace FunctionsPipeline.LocalHost.Tests;

/// <summary>The tiny app in a host that is a process of its own: <c>run DIR --port …</c>.</summary>
internal sealed class HostProcess : IDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _home;
    private readonly Task<string> _errors;

    private HostProcess(Process process, DirectoryInfo home, Uri address)
    {
        _process = process;
        _home = home;
        Client = new TinyAppClient(address);
        // The host's further output must not fill the pipes.
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        _errors = process.StandardError.ReadToEndAsync();
    }

    public TinyAppClient Client { get; }

    public static async Task<HostProcess> StartAsync(string storage, int port = 0)
    {
        var home = Directory.CreateTempSubdirectory("tiny-app-");
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { typeof(FunctionsHost).Assembly.Location, "run", TinyAppHost.AppFolder, "--port", $"{port}" },
            Environment = { ["AzureWebJobsStorage"] = storage, ["HOME"] = home.FullName },
        };
        var process = Process.Start(start)!;
        var lines = new List<string>();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            const string announcement = "functions listening on ";
            lines.Add(line);
            if (!line.StartsWith(announcement, StringComparison.Ordinal)) continue;
            return new HostProcess(process, home, new Uri(line[announcement.Length..]));
        }
        using (process)
        {
            var errors = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            home.Delete(recursive: true);
            throw new InvalidOperationException(
                $"The host did not start, exit code {process.ExitCode}:\n{string.Join('\n', lines)}\n{errors}");
        }
    }

    /// <summary>Ends the host at once, as <c>kill -9</c> does; its worker is left alone.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits until the host ends by itself.</summary>
    public async Task<(int ExitCode, string Errors)> EndAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await _process.WaitForExitAsync(limit.Token);
        return (_process.ExitCode, await _errors);
    }

    /// <summary>Asks the host to end, as <c>kill</c> and container hosts do.</summary>
    /// <returns>The host's exit code.</returns>
    public async Task<int> TerminateAsync()
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -TERM {_process.Id}"]);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        Client.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _home.Delete(recursive: true);
    }
}

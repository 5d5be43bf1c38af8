using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Azure.Storage.Blobs;

namespace FunctionsPipeline.Tests;

/// <summary>
/// Runs Azurite with two storage accounts, in memory and on free loopback ports, for the tests that share this fixture. The executable is
/// <c>AZURITE</c>, or the one that <c>./pipeline setup azurite</c> installs.
/// </summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private const string Account = "devstoreaccount1";
    private const string OtherAccount = "devstoreaccount2";

    // Azurite's published key, the same on every machine, for both accounts.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    // As in LocalHost's ChildProcess, which says why; tests stop Azurite by killing it, so that it needs no session of its own.
    private const string EndsWithTests = "exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec \"$@\" 3<&- </dev/null";

    private readonly StringBuilder _output = new();
    private Process? _process;

    /// <summary>Connection string for the setting <c>PipelineStorage</c>.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <summary>Connection string of a second account, for tests that tell accounts apart.</summary>
    public string OtherConnectionString { get; private set; } = "";

    public BlobServiceClient Blobs { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        // Another process may take a free port before Azurite listens on it, so a failed start is retried.
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await StartAsync();
                return;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                Stop();
            }
        }
    }

    public Task DisposeAsync()
    {
        Stop();
        return Task.CompletedTask;
    }

    private async Task StartAsync()
    {
        int[] ports = [FreePort(), FreePort(), FreePort()];
        // Of a test host that dies without disposing of anything the pipe ends, and the shell beside Azurite kills it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", EndsWithTests, "sh", Executable()])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["AZURITE_ACCOUNTS"] = $"{Account}:{Key};{OtherAccount}:{Key}";
        foreach (var argument in new[]
        {
            "--blobHost", "127.0.0.1", "--blobPort", $"{ports[0]}", "--queueHost", "127.0.0.1", "--queuePort", $"{ports[1]}",
            "--tableHost", "127.0.0.1", "--tablePort", $"{ports[2]}",
            "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry",
        })
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Remember(line.Data);
        _process.ErrorDataReceived += (_, line) => Remember(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        ConnectionString = ConnectionTo(Account, ports);
        OtherConnectionString = ConnectionTo(OtherAccount, ports);
        Blobs = new BlobServiceClient(ConnectionString);
        foreach (var port in ports) await WaitUntilListeningAsync(port);
    }

    private static string ConnectionTo(string account, int[] ports) =>
        $"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{ports[0]}/{account};"
        + $"QueueEndpoint=http://127.0.0.1:{ports[1]}/{account};TableEndpoint=http://127.0.0.1:{ports[2]}/{account};";

    private async Task WaitUntilListeningAsync(int port)
    {
        var started = Stopwatch.StartNew();
        while (true)
        {
            if (_process!.HasExited) throw new InvalidOperationException($"Azurite ended with {_process.ExitCode}: {Output()}");
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (started.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(50);
            }
            catch (SocketException)
            {
                throw new InvalidOperationException($"Azurite did not listen on port {port} within 30 seconds: {Output()}");
            }
        }
    }

    private void Stop()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit(5000);
        _process.Dispose();
        _process = null;
    }

    private void Remember(string? line)
    {
        lock (_output) _output.AppendLine(line);
    }

    private string Output()
    {
        lock (_output) return _output.ToString();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Executable()
    {
        if (Environment.GetEnvironmentVariable("AZURITE") is { Length: > 0 } configured) return configured;
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent;
        var root = folder?.FullName
            ?? throw new DirectoryNotFoundException("The tests are not within the repository: set AZURITE to an executable.");
        var azurite = Path.Combine(root, ".pipeline", "azurite");
        // The installation writes this file last.
        var version = Path.Combine(azurite, "version");
        if (!File.Exists(version))
        {
            using var setup = Process.Start(new ProcessStartInfo(Path.Combine(root, "pipeline"), ["setup", "azurite"]))!;
            setup.WaitForExit();
            if (!File.Exists(version)) throw new FileNotFoundException("./pipeline setup azurite did not install Azurite.", azurite);
        }
        return Path.Combine(azurite, "node_modules", ".bin", "azurite");
    }
}

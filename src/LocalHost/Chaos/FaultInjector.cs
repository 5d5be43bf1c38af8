using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Kills processes of a local stack, which starts them again, and has its models take turns.</summary>
/// <param name="models">Versions that take turns; the first one serves.</param>
internal sealed class FaultInjector(LocalStack stack, RandomModels models, IReadOnlyList<string> versions)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    // Azurite saves what it was told every five seconds, and a kill loses what is not saved. All others are halted until it is, so that
    // Azurite loses nothing that anybody was told is stored.
    private static readonly TimeSpan UntilSaved = TimeSpan.FromSeconds(12);

    private readonly SemaphoreSlim _clients = new(1);
    private int _served;

    /// <summary>Waits while clients must not send anything.</summary>
    public async Task WaitForClientsTurnAsync(CancellationToken cancellationToken)
    {
        await _clients.WaitAsync(cancellationToken);
        _clients.Release();
    }

    /// <summary>Injects a fault and returns when it has happened.</summary>
    /// <returns>Description of the fault.</returns>
    public async Task<string> InjectAsync(Fault fault, CancellationToken cancellationToken)
    {
        switch (fault)
        {
            case Fault.SwapModel: return $"{await SwapAsync(cancellationToken)} begins to serve";
            case Fault.KillHost: return await KillAsync("LocalHost", "run", cancellationToken);
            case Fault.KillFunctionsWorker: return await KillAsync("FunctionApp", null, cancellationToken);
            case Fault.KillGpuWorker: return await KillAsync("GpuWorker", "serve", cancellationToken);
            case Fault.KillGpuWorkerInSwap:
                // Found before the swap: the search takes longer than the load of a tiny model.
                var worker = await StackProcesses.FindAsync(stack.Options.StateFolder, "GpuWorker", "serve", cancellationToken);
                var version = await SwapAsync(cancellationToken);
                await UntilItLoadsAsync(version, cancellationToken);
                worker.Kill();
                return $"kill -9 of {worker.Id}, GpuWorker serve, while it loads {version}";
            case Fault.KillStorage: return await KillStorageAsync(cancellationToken);
            default: throw new ArgumentOutOfRangeException(nameof(fault));
        }
    }

    private async Task<string> KillAsync(string project, string? command, CancellationToken cancellationToken)
    {
        var process = await StackProcesses.FindAsync(stack.Options.StateFolder, project, command, cancellationToken);
        process.Kill();
        return $"kill -9 of {process.Id}, {project} {command}".TrimEnd();
    }

    private async Task<string> SwapAsync(CancellationToken cancellationToken)
    {
        var version = versions[++_served % versions.Count];
        await models.ActivateAsync(version, cancellationToken);
        return version;
    }

    private async Task UntilItLoadsAsync(string version, CancellationToken cancellationToken)
    {
        // The worker downloads a model to its cache before it loads it; without a trace of that, the kill comes a little later.
        var cache = Path.Combine(stack.Options.StateFolder, "cache", "models");
        for (var i = 0; i < 150; i++)
        {
            if (Directory.Exists(cache) && Directory.GetDirectories(cache, $"{version}-*").Length > 0) return;
            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    private async Task<string> KillStorageAsync(CancellationToken cancellationToken)
    {
        await _clients.WaitAsync(cancellationToken);
        try
        {
            List<StackProcess> all = [.. StackProcesses.Of(stack.Options.StateFolder)];
            var storage = all.First(process => process.Words.Contains("--blobPort") && process.Words[0] != "/bin/sh");
            List<StackProcess> others = [.. all.Where(process => process.Words is ["dotnet", ..])];
            foreach (var process in others) process.Suspend();
            await Task.Delay(UntilSaved, CancellationToken.None);
            storage.Kill();
            foreach (var process in others) process.Resume();
            return $"kill -9 of {storage.Id}, Azurite";
        }
        finally
        {
            _clients.Release();
        }
    }
}

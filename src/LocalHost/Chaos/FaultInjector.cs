using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Kills processes of a local stack, which starts them again, and has its models take turns.</summary>
/// <param name="versions">Models that take turns; the first one serves.</param>
/// <param name="unloaded">Model that the GPU worker does not have at hand.</param>
internal sealed class FaultInjector(LocalStack stack, RandomModels models, IReadOnlyList<string> versions, string unloaded)
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
            case Fault.SwapModel:
                var next = versions[++_served % versions.Count];
                await models.ActivateAsync(next, cancellationToken);
                return $"{next} begins to serve";
            case Fault.KillHost: return await KillAsync("LocalHost", "run", cancellationToken);
            case Fault.KillFunctionsWorker: return await KillAsync("FunctionApp", null, cancellationToken);
            case Fault.KillGpuWorker: return await KillAsync("GpuWorker", "serve", cancellationToken);
            case Fault.KillGpuWorkerInSwap:
                // Found before the swap: the search may take longer than the load of a tiny model.
                var worker = await StackProcesses.FindAsync(stack.Options.StateFolder, "GpuWorker", "serve", cancellationToken);
                await models.ActivateAsync(unloaded, cancellationToken);
                await UntilDownloadAsync(cancellationToken);
                await worker.KillAsync();
                return $"kill -9 of {worker.Id}, GpuWorker serve, while it loads {unloaded}";
            case Fault.KillStorage: return await KillStorageAsync(cancellationToken);
            default: throw new ArgumentOutOfRangeException(nameof(fault));
        }
    }

    private async Task<string> KillAsync(string project, string? command, CancellationToken cancellationToken)
    {
        var process = await StackProcesses.FindAsync(stack.Options.StateFolder, project, command, cancellationToken);
        await process.KillAsync();
        return $"kill -9 of {process.Id}, {project} {command}".TrimEnd();
    }

    // The worker downloads a model to a folder of its cache before it loads it.
    private async Task UntilDownloadAsync(CancellationToken cancellationToken)
    {
        while (Directory.GetDirectories(stack.Options.ModelCache, $"{unloaded}-*", SearchOption.AllDirectories).Length == 0)
            await Task.Delay(PollInterval, cancellationToken);
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
            await storage.KillAsync();
            foreach (var process in others) process.Resume();
            return $"kill -9 of {storage.Id}, Azurite";
        }
        finally
        {
            _clients.Release();
        }
    }
}

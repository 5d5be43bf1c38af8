using System.Diagnostics;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Kills the processes of a local stack in the middle of uploads and of a training run, and checks that nothing is lost.</summary>
public static class ChaosScenario
{
    private const int Rows = 200;
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    /// <returns>Process exit code: 0 when every promise was kept.</returns>
    public static async Task<int> RunAsync(ChaosOptions options, IAnsiConsole console, CancellationToken cancellationToken)
    {
        using var folder = FolderLock.Acquire(options.StateFolder);
        // The lock file is beside the folder and survives this.
        if (Directory.Exists(options.StateFolder)) Directory.Delete(options.StateFolder, recursive: true);
        var screen = new ProgressScreen(console);
        screen.Say($"seed {options.Seed}; everything is written to {options.StateFolder}");
        var promises = new List<Promise>();
        await using (var stack = await LocalStack.StartAsync(
            new LocalStackOptions { StateFolder = options.StateFolder, Rows = Rows, HoldBack = options.Pictures },
            screen.Say, cancellationToken))
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var keeping = stack.KeepRunningAsync(screen.Say, stop.Token);
            var running = RunAsync(stack, options, screen, promises, console, stop.Token);
            var first = await Task.WhenAny(keeping, running);
            await stop.CancelAsync();
            await Task.WhenAll(keeping, running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await first;
        }
        var left = await LeftAsync(options.StateFolder, cancellationToken);
        promises.Add(new Promise("no process is left", left.Count == 0, [.. left.Select(process => process.ToString())]));
        return Promise.Print(promises, console);
    }

    private static async Task RunAsync(
        LocalStack stack, ChaosOptions options, ProgressScreen screen, List<Promise> promises, IAnsiConsole console,
        CancellationToken cancellationToken)
    {
        // Azurite waits for open connections when it stops. All requests share one HTTP client, whose disposal closes them.
        using var http = new HttpClient { BaseAddress = stack.Host };
        var blobs = new BlobServiceClient(stack.Storage, new BlobClientOptions { Transport = new HttpClientTransport(http) });
        if (options.SoakTime > TimeSpan.Zero)
        {
            promises.AddRange(await new Soak(stack, blobs, http, screen).RunAsync(options.SoakTime, console, cancellationToken));
            return;
        }
        if (options.Uploads > 0)
            promises.AddRange(await new UploadChaos(stack, blobs, http, screen).RunAsync(options, console, cancellationToken));
        if (options.TrainingSteps > 0)
        {
            var client = new PipelineClient(http, blobs);
            promises.AddRange(await new TrainingChaos(stack, blobs, client, screen).RunAsync(
                options.TrainingSteps, options.KilledInTraining, cancellationToken));
        }
    }

    private static async Task<IReadOnlyList<StackProcess>> LeftAsync(string stateFolder, CancellationToken cancellationToken)
    {
        // Processes that end with their parents take a moment.
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var left = StackProcesses.Of(stateFolder);
            if (left.Count == 0 || clock.Elapsed > EndLimit) return left;
            await Task.Delay(100, cancellationToken);
        }
    }
}

/// <summary>Options of a chaos run.</summary>
public sealed record ChaosOptions
{
    /// <summary>Folder for all files, emptied at the start.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Seed of uploads and faults.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Number of uploads; 0 for none.</summary>
    public int Uploads { get; init; } = 2000;

    /// <summary>Number of different pictures among the uploads.</summary>
    public int Pictures { get; init; } = 36;

    /// <summary>Number of training steps of the run that is killed; 0 for no run.</summary>
    public int TrainingSteps { get; init; } = 120;

    /// <summary>Time for the uploads and their documents.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Time of steady uploads without any fault, in place of all the above; 0 for none.</summary>
    public TimeSpan SoakTime { get; init; }

    /// <summary>Number of each fault.</summary>
    internal IReadOnlyDictionary<Fault, int> Faults { get; init; } = new Dictionary<Fault, int>
    {
        [Fault.SwapModel] = 2,
        [Fault.KillHost] = 3,
        [Fault.KillFunctionsWorker] = 3,
        [Fault.KillGpuWorker] = 4,
        [Fault.KillGpuWorkerInSwap] = 1,
        [Fault.KillStorage] = 1,
    };

    /// <summary>Programs that are killed in the middle of the training run, by project and command.</summary>
    internal IReadOnlyList<(string Project, string Command)> KilledInTraining { get; init; } = [Job, ("LocalHost", "run"), Job];

    private static (string Project, string Command) Job => ("GpuWorker", "train");

    /// <summary>Options of a short run: few uploads and one kill of each process.</summary>
    public static ChaosOptions Short(string stateFolder) => new()
    {
        StateFolder = stateFolder,
        Uploads = 60,
        Pictures = 6,
        TrainingSteps = 12,
        KilledInTraining = [Job],
        // A message that was on its way to a host when that was killed is hidden for ten minutes, see TakenMessages.
        Limit = TimeSpan.FromMinutes(15),
        Faults = new Dictionary<Fault, int>
        {
            [Fault.KillHost] = 1,
            [Fault.KillFunctionsWorker] = 1,
            [Fault.KillGpuWorker] = 1,
            [Fault.KillGpuWorkerInSwap] = 1,
            [Fault.KillStorage] = 1,
        },
    };
}

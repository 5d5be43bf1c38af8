using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Shared;
using FunctionsPipeline.Telemetry;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>train</c>: trains one run, from its request to its result.</summary>
internal static class TrainCommand
{
    // Longer than a killed worker's lock lives.
    private static readonly TimeSpan LockPatience = TimeSpan.FromMinutes(1);

    public static Command Create()
    {
        var run = SharedOptions.Run();
        var folder = SharedOptions.StorageFolder();
        var cache = SharedOptions.Cache();
        var threads = SharedOptions.Threads();
        var command = new Command("train",
            """
            Fine-tunes a model as a run's request says, and publishes it as a model folder.

            A run that was interrupted resumes from its last checkpoint, and ends with the weights it would have had otherwise. SIGTERM
            and Ctrl-C write a checkpoint first (exit code 75). A run has one worker: another waits a minute for it and ends (exit code
            69).

            Reads runs/{id}/request.json (a TrainingJob), the shards and the base model from blob storage; writes runs/{id}/metrics.jsonl,
            predictions.jsonl, heartbeat.json, result.json, checkpoints/, samples/ and tensorboard/, and the model. Storage is the setting
            PipelineStorage: a connection string, or PipelineStorage__blobServiceUri with the identity of the machine.

            MLFLOW_TRACKING_URI names a server that the run is tracked on too, MLFLOW_EXPERIMENT_NAME the experiment there,
            MLFLOW_REGISTERED_MODEL_NAME the registered model (default: the experiment's name), and MLFLOW_TRACKING_TOKEN, or
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, the way in.

            WANDB_API_KEY tracks the run on Weights & Biases, in WANDB_PROJECT of WANDB_ENTITY on WANDB_BASE_URL, with WANDB_RUN_GROUP and
            WANDB_TAGS; WANDB_MODE=offline or disabled sends nothing.

            Example: PipelineStorage=UseDevelopmentStorage=true train --run spring-catalog
            """)
        { run, folder, cache, threads };
        SettingsHelpAction.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            return RunAsync(parsed.GetRequiredValue(run), parsed.GetValue(folder), parsed.GetValue(cache)!.FullName, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(string run, DirectoryInfo? folder, string cache, CancellationToken cancellationToken)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Logging.AddFilter("Azure", LogLevel.Warning);
        builder.Services.AddRunStore(folder, builder.Configuration);
        builder.Services.AddWorkerTelemetry(builder.Configuration);
        // Built for its services and never started: a started host's console lifetime would handle SIGTERM beside System.CommandLine, whose
        // cancellation makes the run write its checkpoint.
        using var host = builder.Build();
        host.Services.StartTelemetry();

        var store = host.Services.GetRequiredService<IRunStore>();
        var logger = host.Services.GetRequiredService<ILogger<TrainingJobRunner>>();
        var options = new TrainingJobRunnerOptions
        {
            WorkFolder = cache,
            Variable = name => builder.Configuration[name],
        };
        using var span = PipelineTracing.StartJob("train", run, Environment.GetEnvironmentVariable);
        var runner = new TrainingJobRunner(store, options, TimeProvider.System, logger, new HeartbeatPrinter(Console.Out));
        TrainingResult result;
        try
        {
            var job = await ReadJobAsync(store, run, cancellationToken);
            await using var runLock = folder is null
                ? await LockAsync(host.Services.GetRequiredService<BlobServiceClient>(), run, cancellationToken)
                : null;
            if (folder is null && runLock is null)
            {
                await Console.Error.WriteLineAsync($"Another worker trains {run} and still holds its lock: this one ends.");
                return CommandLine.Busy;
            }
            // A start that was cancelled before its job was known to anybody.
            if (await store.ReadAsync(Containers.Runs, new RunBlobs(run).Cancelled, cancellationToken) is not null)
                throw new CommandException($"{run} was cancelled.");
            result = await runner.RunAsync(job, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            span?.AddEvent(new ActivityEvent(Heartbeat.Preempted));
            Console.WriteLine($"Asked to stop: {run} resumes from its last checkpoint when it is started again.");
            return CommandLine.Preempted;
        }
        catch (CommandException e)
        {
            span?.SetStatus(ActivityStatusCode.Error, e.Message);
            throw;
        }
        if (!result.Succeeded)
        {
            PipelineMetrics.CountFailure("train", null);
            span?.SetStatus(ActivityStatusCode.Error, result.Error);
            throw new CommandException($"The run failed: {result.Error}");
        }
        Console.WriteLine(
            $"Done: {Containers.Models}/{result.Model}, validation loss {result.Base?.Loss:0.000} before " +
            $"and {result.FineTuned?.Loss:0.000} after {result.Steps} steps.");
        return CommandLine.Done;
    }

    /// <summary>Waits for the lock of the run; null when another worker keeps it.</summary>
    private static async Task<BlobLock?> LockAsync(BlobServiceClient blobs, string run, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(new RunBlobs(run).WorkerLock);
        var runLock = await BlobLock.AcquireAsync(blob, TimeSpan.Zero, TimeProvider.System, cancellationToken);
        if (runLock is null)
        {
            Console.WriteLine($"Another worker holds the lock of {run}. Waiting up to {LockPatience.TotalSeconds} seconds for its end.");
            runLock = await BlobLock.AcquireAsync(blob, LockPatience, TimeProvider.System, cancellationToken);
        }
        runLock?.Lost.Register(() =>
        {
            // At once and without a checkpoint: whatever this process writes now would mix with what the other one writes.
            Console.Error.WriteLine($"Another worker has taken the lock of {run}: this one ends.");
            Exit(CommandLine.Busy);
        });
        return runLock;
    }

    // Environment.Exit runs the destructors of libtorch while its threads still compute, which ends in a segmentation fault.
    [DllImport("libc", EntryPoint = "_exit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void Exit(int code);

    /// <summary>Reads the job of a run.</summary>
    /// <exception cref="CommandException">There is no such run, or its request is no job.</exception>
    public static async Task<TrainingJob> ReadJobAsync(IRunStore store, string run, CancellationToken cancellationToken)
    {
        var name = new RunBlobs(run).Request;
        var json = await store.ReadAsync(Containers.Runs, name, cancellationToken)
            ?? throw new CommandException($"There is no run {run}: {Containers.Runs}/{name} is missing.");
        try
        {
            return JsonSerializer.Deserialize<TrainingJob>(json, PipelineJson.Options) ?? throw new JsonException("it holds null");
        }
        catch (JsonException e)
        {
            throw new CommandException($"{Containers.Runs}/{name} is no training job: {e.Message}", e);
        }
    }
}

/// <summary>Prints heartbeats as readable lines and skips repeated ones.</summary>
internal sealed class HeartbeatPrinter(TextWriter output) : IProgress<Heartbeat>
{
    private string? _last;

    /// <inheritdoc/>
    public void Report(Heartbeat value)
    {
        var line = Describe(value);
        if (line == _last) return;
        output.WriteLine(line);
        _last = line;
    }

    /// <summary>Formats a heartbeat as one line.</summary>
    public static string Describe(Heartbeat heartbeat)
    {
        var parts = new List<string> { heartbeat.Phase };
        if (heartbeat.Steps > 0) parts.Add($"step {heartbeat.Step}/{heartbeat.Steps}");
        if (heartbeat.Loss is { } loss) parts.Add(Invariant($"loss {loss:0.000}"));
        if (heartbeat.ValidationLoss is { } validation) parts.Add(Invariant($"validation loss {validation:0.000}"));
        if (heartbeat.SamplesPerSecond is { } rate) parts.Add(Invariant($"{rate:0.0} samples/s"));
        if (heartbeat.EtaSeconds is { } seconds) parts.Add($"{TimeSpan.FromSeconds(Math.Round(seconds)):c} left");
        return string.Join(", ", parts);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

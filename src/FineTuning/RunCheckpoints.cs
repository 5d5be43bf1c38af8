using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Checkpoints of a run in its store, <c>runs/{run}/checkpoints/{step}</c>. They are written in the background while training continues,
/// one at a time, and are valid only when complete. The newest ones and the best one are kept.
/// </summary>
/// <param name="folder">Local folder for drafts.</param>
/// <param name="record">Writes the pending metrics, which a run that resumes from the checkpoint does not measure again.</param>
internal sealed class RunCheckpoints(IRunStore store, TrainingJob job, string folder, Func<CancellationToken, Task> record, ILogger logger)
{
    private const string StateFile = "state.json";

    private readonly RunBlobs _blobs = new(job.Run);
    private Task _writing = Task.CompletedTask;

    /// <summary>Value of <see cref="TrainingState.Job"/> for this run.</summary>
    public string Job { get; } = Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(job, PipelineJson.Compact)));

    /// <summary>Reads the newest complete checkpoint; null when there is none. Removes incomplete ones that are newer.</summary>
    /// <exception cref="TrainingException">The checkpoint belongs to a job with other settings or other data.</exception>
    public async Task<(TrainingState State, string Folder)?> LatestAsync(CancellationToken cancellationToken)
    {
        foreach (var step in (await StepsAsync(cancellationToken)).OrderDescending())
        {
            if (await ReadAsync(step, cancellationToken) is not { } found)
            {
                logger.CheckpointNotWhole(job.Run, step);
                await StoredFolder.DeleteAsync(store, Containers.Runs, _blobs.Checkpoint(step), cancellationToken);
                continue;
            }
            if (found.State.Job == Job) return found;
            throw new TrainingException(
                $"The checkpoints of {job.Run} were made with other settings or other data. Start a run with another id, or remove " +
                $"{Containers.Runs}/{_blobs.Checkpoints} to begin this one again.");
        }
        return null;
    }

    /// <summary>Downloads the checkpoint of a step, which must exist.</summary>
    /// <returns>The local folder of the checkpoint.</returns>
    public async Task<string> FolderAsync(int step, CancellationToken cancellationToken)
    {
        await _writing;
        return await ReadAsync(step, cancellationToken) is var (_, local)
            ? local
            : throw new TrainingException($"The checkpoint {Containers.Runs}/{_blobs.Checkpoint(step)} is gone or damaged.");
    }

    /// <summary>Waits for the previous checkpoint, then starts to write a new one in the background.</summary>
    /// <param name="write">Writes the weights and the optimizer into a local folder; called before this method returns.</param>
    /// <exception cref="Exception">The previous checkpoint could not be written.</exception>
    public void Write(TrainingState state, Action<string> write)
    {
        // There is one draft folder: its upload must have ended before it is overwritten. A failed upload is thrown here.
        _writing.GetAwaiter().GetResult();
        var draft = Directory.CreateDirectory(Path.Combine(folder, "draft")).FullName;
        write(draft);
        File.WriteAllBytes(Path.Combine(draft, StateFile), JsonSerializer.SerializeToUtf8Bytes(state, PipelineJson.Options));
        _writing = Task.Run(async () =>
        {
            // Metrics first: a complete checkpoint says that the lines up to its step are stored. Older checkpoints are removed last, so
            // that there is always a complete one. Not cancelled: a run that is asked to stop ends with this checkpoint.
            await record(CancellationToken.None);
            await StoredFolder.UploadAsync(store, Containers.Runs, _blobs.Checkpoint(state.Step), draft, CancellationToken.None);
            await PruneAsync(state);
        });
    }

    /// <summary>Waits until the checkpoint in progress is written.</summary>
    public Task FlushAsync() => _writing;

    private async Task PruneAsync(TrainingState state)
    {
        var old = (await StepsAsync(CancellationToken.None)).OrderDescending().Skip(job.Settings.KeepCheckpoints);
        foreach (var step in old.Where(step => step != state.BestStep))
            await StoredFolder.DeleteAsync(store, Containers.Runs, _blobs.Checkpoint(step), CancellationToken.None);
    }

    private async Task<(TrainingState State, string Folder)?> ReadAsync(int step, CancellationToken cancellationToken)
    {
        var local = Path.Combine(folder, step.ToString(CultureInfo.InvariantCulture));
        if (!await StoredFolder.DownloadAsync(store, Containers.Runs, _blobs.Checkpoint(step), local, cancellationToken)) return null;
        try
        {
            var json = await File.ReadAllBytesAsync(Path.Combine(local, StateFile), cancellationToken);
            var state = JsonSerializer.Deserialize<TrainingState>(json, PipelineJson.Options);
            return state is null ? null : (state, local);
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            return null;
        }
    }

    private async Task<List<int>> StepsAsync(CancellationToken cancellationToken) =>
        [.. (await store.ListAsync(Containers.Runs, _blobs.Checkpoints, cancellationToken))
            .Select(name => name[_blobs.Checkpoints.Length..].Split('/')[0]).Distinct()
            .Select(name => int.TryParse(name, CultureInfo.InvariantCulture, out var step) ? step : -1).Where(step => step >= 0)];
}

/// <summary>
/// State of a run between two steps besides its weights and its optimizer: <c>state.json</c> of a checkpoint. Order, augmentation and
/// dropout are functions of the seed and the position in the data, so that no generator's state needs to be stored.
/// </summary>
internal sealed record TrainingState
{
    /// <summary>Number of optimizer steps taken.</summary>
    public int Step { get; init; }

    /// <summary>Number of training samples taken over all epochs, which is the position in the data.</summary>
    public long Samples { get; init; }

    /// <summary>Training time of all attempts of the run, validations included, in seconds.</summary>
    public double Seconds { get; init; }

    /// <summary><see cref="LearningRateSchedule.WarmupEnd"/> in seconds.</summary>
    public double WarmupEndSeconds { get; init; }

    /// <summary>Exponential moving average of the training loss; null before the first step.</summary>
    public double? Loss { get; init; }

    /// <summary>Number of validations that the progress of training has called for.</summary>
    public int Validated { get; init; }

    /// <summary>Lowest validation loss so far; null before the first validation.</summary>
    public double? BestLoss { get; init; }

    /// <summary>Step of <see cref="BestLoss"/>.</summary>
    public int BestStep { get; init; }

    /// <summary>Number of validations since the best step.</summary>
    public int SinceBest { get; init; }

    /// <summary>Maximum bytes of the shards whose samples are shuffled together, which the order of the samples depends on.</summary>
    public long ShuffledBytes { get; init; } = SampleOrder.MostBytesTogether;

    /// <summary>True when the run reads the outputs of a frozen vision tower from a cache, whose last bits may differ.</summary>
    public bool CachesFeatures { get; init; } = true;

    /// <summary>Metrics of the base model, measured once.</summary>
    public required EvaluationMetrics Base { get; init; }

    /// <summary>SHA-256 of the checkpoint's job: a run must not resume from another job's checkpoint.</summary>
    public required string Job { get; init; }

    /// <summary>Returns the state after a validation with the given loss.</summary>
    public TrainingState Validate(double loss) => loss < (BestLoss ?? double.PositiveInfinity)
        ? this with { BestLoss = loss, BestStep = Step, SinceBest = 0 }
        : this with { SinceBest = SinceBest + 1 };
}

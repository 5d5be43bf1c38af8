using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Runs one training job from its shards to the uploaded model folder: downloads the base model, trains, evaluates, uploads the model and
/// writes <c>result.json</c>. A run that has checkpoints resumes from the newest one.
/// </summary>
/// <param name="progress">Receives each heartbeat that is written.</param>
public sealed class Trainer(
    IRunStore store, TrainerOptions options, TimeProvider time, ILogger<Trainer> logger, IProgress<Heartbeat>? progress = null)
{
    /// <summary>Runs the job. A failure is a result too and is written like a success.</summary>
    /// <exception cref="OperationCanceledException">
    /// The run was asked to stop. No result is written; the last heartbeat says <see cref="Heartbeat.Preempted"/>, and the run resumes from
    /// its checkpoint when it is started again.
    /// </exception>
    public async Task<RunResult> RunAsync(TrainingJob job, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateDirectory(Path.Combine(options.WorkFolder, "runs", job.Run)).FullName;
        IReadOnlyList<IMetricsSink> sinks =
        [
            new MetricsFile(store, job.Run),
            new TensorBoardLog(store, job, time),
            .. options.Mlflow is { } mlflow ? [new MlflowTracking(mlflow, job, time, logger)] : Array.Empty<IMetricsSink>(),
        ];
        await using var reporter = new RunReporter(store, job.Run, sinks, options.HeartbeatInterval, time, progress, logger);
        RunResult result;
        try
        {
            await reporter.FlushAsync(cancellationToken);
            result = await TrainAsync(job, folder, reporter, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            reporter.Enter(Heartbeat.Preempted);
            await reporter.EndAsync(null, CancellationToken.None);
            throw;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            logger.Failed(job.Run, e);
            var error = e is TrainingException ? e.Message : $"{e.GetType().Name}: {e.Message}";
            result = new RunResult { Run = job.Run, Succeeded = false, Error = error };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        if (result.Succeeded) reporter.Enter("done");
        await reporter.EndAsync(result, cancellationToken);
        var document = JsonSerializer.SerializeToUtf8Bytes(result, PipelineJson.Options);
        await store.WriteAsync(Containers.Runs, new RunBlobs(job.Run).Result, document, cancellationToken);
        return result;
    }

    private async Task<RunResult> TrainAsync(TrainingJob job, string folder, RunReporter reporter, CancellationToken cancellationToken)
    {
        var checkpoints = new RunCheckpoints(store, job, Path.Combine(folder, "checkpoints"), reporter.FlushAsync, logger);
        var resumed = await checkpoints.LatestAsync(cancellationToken);
        if (resumed is { } known) logger.Resuming(job.Run, known.State.Step);
        await MetricsFile.CutAsync(store, job.Run, resumed?.State.Step, cancellationToken);
        await TensorBoardLog.CutAsync(store, job.Run, resumed?.State.Step, cancellationToken);

        var models = Path.Combine(options.WorkFolder, "models");
        var baseModel = await ModelTransfer.DownloadAsync(store, job.BaseModel, models, cancellationToken);
        var indexes = await ShardIndex.ReadAsync(store, job.Shards, cancellationToken);
        await using var shards = new ShardCache(store, Path.Combine(folder, "shards"), options.ShardCacheBytes);

        // Torch's dispose scopes belong to a thread, so that one thread runs the complete computation.
        var output = Path.Combine(folder, "model");
        RunResult result;
        try
        {
            result = await Task.Factory.StartNew(() =>
            {
                using var run = new TrainingRun(job, indexes, shards, baseModel, checkpoints, store, options, time, reporter, logger);
                return run.Train(resumed, output, cancellationToken);
            }, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            // Runs after a cancellation too: the upload of the last checkpoint must finish.
            await checkpoints.FlushAsync();
        }
        await ModelTransfer.UploadAsync(store, output, job.OutputModel, cancellationToken);
        return result;
    }
}

using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Runs one training job from its shards to the published model folder: downloads what it needs, trains, evaluates, uploads the model,
/// writes <c>result.json</c>.
/// </summary>
/// <param name="progress">Told each heartbeat as it is written.</param>
public sealed class Trainer(
    IRunStore store, TrainerOptions options, TimeProvider time, ILogger<Trainer> logger, IProgress<Heartbeat>? progress = null)
{
    /// <summary>Carries out the job. A failure is a result too; it is written like a success.</summary>
    /// <exception cref="OperationCanceledException">
    /// The run was cancelled; no result is written, so that it can be started again.
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
            await MetricsFile.CutAsync(store, job.Run, step: null, cancellationToken);
            await TensorBoardLog.CutAsync(store, job.Run, step: null, cancellationToken);
            await reporter.FlushAsync(cancellationToken);
            result = await TrainAsync(job, folder, reporter, cancellationToken);
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
        var models = Path.Combine(options.WorkFolder, "models");
        var baseModel = await ModelTransfer.DownloadAsync(store, job.BaseModel, models, cancellationToken);
        var training = new List<Sample>();
        var validation = new List<Sample>();
        foreach (var (shard, i) in job.Shards.Select((s, i) => (s, i)))
        {
            var path = Path.Combine(folder, $"{i:D5}.tar");
            await DownloadAsync(shard, path, cancellationToken);
            (shard.Split == "train" ? training : validation).AddRange(ShardReader.Read(path));
        }
        if (training.Count == 0)
            throw new TrainingException("The dataset has no usable training samples; its report says why rows were rejected.");
        if (validation.Count == 0)
            throw new TrainingException("The dataset has no usable validation samples; raise dataset.validationFraction.");

        var settings = job.Settings;
        var answered = Evaluator.SpreadEvenly(validation, settings.GallerySamples);
        var gallery = new Gallery(store, job.Run, answered, new AnswerTemplate(settings.AnswerTemplate));
        reporter.Keep(gallery);

        // Torch's dispose scopes belong to a thread, so all computing happens on one.
        var output = Path.Combine(folder, "model");
        var result = await Task.Factory.StartNew(() =>
        {
            using var run = new TrainingRun(job, training, validation, gallery, baseModel, options, time, reporter, logger);
            return run.Train(output, cancellationToken);
        }, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        ModelCard.Write(output, job, result);
        await ModelTransfer.UploadAsync(store, output, job.OutputModel, cancellationToken);
        return result;
    }

    private async Task DownloadAsync(ShardInfo shard, string path, CancellationToken cancellationToken)
    {
        try
        {
            await store.DownloadAsync(Containers.Datasets, shard.Blob, path, cancellationToken);
        }
        catch (FileNotFoundException e)
        {
            throw new TrainingException($"The shard {shard.Blob} is gone; ingest the dataset again.", e);
        }
    }
}

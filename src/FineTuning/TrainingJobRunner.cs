using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.FineTuning.Evaluation;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision.Images;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Runs one training job from its shards to the uploaded model folder: downloads the base model, trains, evaluates, uploads the model and
/// writes <c>result.json</c>. A run that has checkpoints resumes from the newest one.
/// </summary>
/// <param name="progress">Receives each heartbeat that is written.</param>
public sealed class TrainingJobRunner(
    IRunStore store, TrainingJobRunnerOptions options, TimeProvider time, ILogger<TrainingJobRunner> logger,
    IProgress<Heartbeat>? progress = null)
{
    /// <summary>Runs the job. A failure is a result too and is written like a success.</summary>
    /// <exception cref="OperationCanceledException">
    /// The run was asked to stop. No result is written; the last heartbeat says <see cref="Heartbeat.Preempted"/>, and the run resumes from
    /// its checkpoint when it is started again.
    /// </exception>
    public async Task<TrainingResult> RunAsync(TrainingJob job, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateDirectory(Path.Combine(options.WorkFolder, "runs", job.Run)).FullName;
        var trackers = Trackers.Create(store, job, options, time, logger);
        await using var progressWriter = new RunProgressWriter(store, job.Run, trackers, options.HeartbeatInterval, time, progress, logger);
        TrainingResult result;
        try
        {
            await progressWriter.FlushAsync(cancellationToken);
            result = await TrainAsync(job, folder, progressWriter, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            progressWriter.EnterPhase(Heartbeat.Preempted);
            await progressWriter.EndAsync(null, CancellationToken.None);
            throw;
        }
        catch (Exception e)
        {
            logger.Failed(job.Run, e);
            var error = e is TrainingException ? e.Message : $"{e.GetType().Name}: {e.Message}";
            result = new TrainingResult { Run = job.Run, Succeeded = false, Error = error };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        if (result.Succeeded) progressWriter.EnterPhase("done");
        await progressWriter.EndAsync(result, cancellationToken);
        result = result with { Trackers = progressWriter.Trackers };
        // Written last, so that metrics, gallery and model are complete once result.json exists.
        var document = JsonSerializer.SerializeToUtf8Bytes(result, PipelineJson.Options);
        await store.WriteAsync(Containers.Runs, new RunBlobs(job.Run).Result, document, cancellationToken);
        return result;
    }

    private async Task<TrainingResult> TrainAsync(
        TrainingJob job, string folder, RunProgressWriter progressWriter, CancellationToken cancellationToken)
    {
        var checkpoints = new RunCheckpoints(store, job, Path.Combine(folder, "checkpoints"), progressWriter.FlushAsync, logger);
        var resumed = await checkpoints.LatestAsync(cancellationToken);
        if (resumed is { } known) logger.Resuming(job.Run, known.State.Step);
        // A resumed run measures the steps after its checkpoint again. Nothing is recorded yet, so that no beat appends to a file that is
        // being truncated.
        await progressWriter.CutAsync(resumed?.State.Step, cancellationToken);

        var models = Path.Combine(options.WorkFolder, "models");
        var baseModel = await ModelTransfer.DownloadAsync(store, job.BaseModel, models, cancellationToken);
        var indexes = await ShardIndex.ReadAsync(store, job.Shards, Path.Combine(folder, "indexes"), cancellationToken);

        // Torch's dispose scopes belong to a thread, so that one thread runs the complete computation.
        var output = Path.Combine(folder, "model");
        TrainingResult result;
        try
        {
            result = await Task.Factory.StartNew(() =>
            {
                using var fineTuner = new FineTuner(
                    job, indexes, Path.Combine(folder, "shards"), baseModel, checkpoints, resumed, store, options, time, progressWriter,
                    logger);
                return fineTuner.Run(output, cancellationToken);
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

/// <summary>
/// Computes a run on one thread: evaluates the base model, trains with validations, evaluates the result and exports the fine-tuned model.
/// </summary>
internal sealed class FineTuner : IDisposable
{
    // Container Apps kills a container 30 seconds after SIGTERM; a third is for the micro-batch in progress and for the end of the process.
    private const int SecondsToStop = 20;

    // Through a disk and into storage, by a careful guess.
    private const double BytesPerSecond = 100e6;

    // Samples whose images the vision tower takes from the batch reader at a time; a heartbeat follows each.
    private const int FeaturesTogether = 4;

    private readonly TrainingJob _job;
    private readonly (TrainingState State, string Folder)? _resumed;
    private readonly TrainingData _data;
    private readonly DiskBudget _disk;
    private readonly ShardCache _shards;
    private readonly TrainedModel _trained;
    private readonly Evaluator _evaluator;
    private readonly BatchReader _reader;
    private readonly VisionFeatureCache? _features;
    private readonly SampleAnswersWriter _sampleAnswers;
    private readonly TrainingLoop _loop;
    private readonly RunCheckpoints _checkpoints;
    private readonly RunProgressWriter _progressWriter;
    private readonly TimeProvider _time;

    /// <param name="indexes">Indexes of all the job's shards.</param>
    /// <param name="shardFolder">Folder for the shards.</param>
    /// <param name="baseModel">Folder of the base model.</param>
    /// <param name="resumed">Checkpoint to resume from, with its folder; null starts from the base model.</param>
    /// <exception cref="TrainingException">
    /// The settings, the data and the model do not fit together; the message says what to change.
    /// </exception>
    public FineTuner(
        TrainingJob job, IReadOnlyList<ShardIndex> indexes, string shardFolder, string baseModel, RunCheckpoints checkpoints,
        (TrainingState State, string Folder)? resumed, IRunStore store, TrainingJobRunnerOptions options, TimeProvider time,
        RunProgressWriter progressWriter, ILogger logger)
    {
        _job = job;
        _resumed = resumed;
        _checkpoints = checkpoints;
        _time = time;
        _progressWriter = progressWriter;
        var settings = job.Settings;
        _trained = new TrainedModel(baseModel, settings);
        var rows = new RowBuilder(_trained.Tokenizer, ServingSettings.Of(settings, job.Fields));
        var processor = new ImageProcessor(settings.NumCrops);
        var room = _trained.Config.MaxPositionEmbeddings;
        _data = TrainingData.Plan(indexes, rows, processor, Math.Min(settings.MaxTokens ?? room, room));
        var features = Path.Combine(options.WorkFolder, "features");
        // The draft of a checkpoint, the best one if the run ends with it, and the model.
        var reserved = (TrainingLoop.EndsWithBest(settings) ? 2 : 1) * _trained.CheckpointBytes + _trained.ModelBytes;
        _disk = DiskBudget.Of(
            new DriveInfo(options.WorkFolder).AvailableFreeSpace, reserved, DiskBudget.BytesBelow(features), job.Shards, options);
        _shards = new ShardCache(store, shardFolder, _disk.Shards);
        var images = new ImageSource(_shards, processor, options.ImageCacheBytes);
        // All or none: a step is computed from features only when all its images have them.
        _features = _trained.FrozenTower(settings) is { } tower
            && (resumed?.State.CachesFeatures ?? _data.Views * _trained.BytesOfView <= _disk.Features)
            ? new VisionFeatureCache(features, $"{Path.GetFileName(baseModel)} {tower}", settings.NumCrops, _disk.Features)
            : null;
        _reader = new BatchReader(images, rows, _trained.Config.PadTokenId, settings.Packing, _features);
        var baselines = NaiveBaseline.Of(_data.Training.Select(sample => sample.Labels), rows.Answers);
        _evaluator = new Evaluator(_trained.Model, _reader, rows, baselines, settings, _trained.Device);
        _sampleAnswers = new SampleAnswersWriter(
            store, job.Run, Evaluator.SpreadEvenly(_data.Validation, settings.GallerySamples), _shards, rows.Answers);
        progressWriter.AddDocument(_sampleAnswers);
        _loop = new TrainingLoop(settings, _trained, _data.Training, _reader, checkpoints, progressWriter, time);
        logger.Starting(
            job.Run, _data.Training.Count, _data.Validation.Count, _data.Test.Count, _data.Dropped, _trained.Parameters.Count, _loop.Steps);
        if (_data.Misread > 0) logger.AnswersMisread(job.Run, _data.Misread, _data.FirstMisread);
        var longest = _data.Validation.Max(sample => rows.AnswerLength(sample.Answer));
        if (longest > rows.MaxAnswerTokens) logger.AnswersTooLong(job.Run, longest, rows.MaxAnswerTokens);
        var gigabytes = _trained.CheckpointBytes / 1e9;
        if (_trained.CheckpointBytes <= SecondsToStop * BytesPerSecond) logger.CheckpointSize(job.Run, gigabytes);
        else logger.CheckpointTooLarge(job.Run, gigabytes, SecondsToStop, settings.CheckpointEveryMinutes);
    }

    /// <summary>Evaluates, trains, evaluates again, and saves the model.</summary>
    /// <param name="output">Folder for the fine-tuned model.</param>
    public TrainingResult Run(string output, CancellationToken cancellationToken)
    {
        _progressWriter.Update(h => h with { Steps = _loop.Steps });
        if (_features is not null) Fill(_features, _data.All, cancellationToken);
        var state = _resumed is var (known, folder) ? Resume(known, folder) : Begin(cancellationToken);

        _progressWriter.EnterPhase(Heartbeat.Training);
        state = _loop.Run(state, at => Validate(at, cancellationToken), cancellationToken);
        var best = _loop.WantsBest && state.BestStep < state.Step && state.BestLoss is not null ? state.BestStep : default(int?);
        if (best is { } step) _trained.LoadWeights(_checkpoints.FolderAsync(step, cancellationToken).GetAwaiter().GetResult());

        var after = Evaluate("evaluating", EvaluatedAnswer.FineTunedModel, Splits.Validation, state.Step, cancellationToken);
        Answer(state.Step, cancellationToken);
        Record(state, after);
        var test = _data.Test.Count > 0
            ? Evaluate("testing", EvaluatedAnswer.FineTunedModel, Splits.Test, state.Step, cancellationToken)
            : null;

        _progressWriter.EnterPhase("saving");
        var result = new TrainingResult
        {
            Run = _job.Run,
            Succeeded = true,
            Model = _job.OutputModel,
            Steps = state.Step,
            TrainingSamples = state.Samples,
            Seconds = state.Seconds,
            Base = state.Base,
            FineTuned = after,
            Test = test,
            BestStep = best,
            DroppedSamples = _data.Dropped,
        };
        _trained.Export(output, BlobNames.HubRepo(_job.BaseModel) ?? _job.BaseModel);
        ServingSettings.Save(output, _job.Settings, _data.Training.Select(sample => sample.Answer), _job.Fields);
        ModelCard.Write(output, _job, result);
        return result;
    }

    public void Dispose()
    {
        _shards.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _trained.Dispose();
    }

    /// <summary>
    /// Runs the frozen vision tower once over every image that the cache lacks. It recomputes the features of images that the disk does not
    /// take in every epoch.
    /// </summary>
    private void Fill(VisionFeatureCache cache, IEnumerable<Sample> samples, CancellationToken cancellationToken)
    {
        var missing = samples.Where(sample => !sample.Images.All(cache.Has)).ToList();
        if (missing.Count == 0) return;
        _progressWriter.EnterPhase("caching-features");
        var started = _time.GetTimestamp();
        var done = 0;
        foreach (var images in _reader.Images(missing.Chunk(FeaturesTogether), cancellationToken))
        {
            foreach (var (stored, image) in images)
            {
                if (!cache.Has(stored) && !cache.Put(stored, _trained.Model.Encode(image))) return;
            }
            done = Math.Min(done + FeaturesTogether, missing.Count);
            // Remaining time at the average speed so far: elapsed · (images left) / (images done).
            var elapsed = _time.GetElapsedTime(started).TotalSeconds;
            _progressWriter.Update(h => h with
            {
                SamplesPerSecond = done / elapsed,
                EtaSeconds = elapsed * (missing.Count - done) / done,
            });
        }
    }

    private TrainingState Begin(CancellationToken cancellationToken)
    {
        var metrics = Evaluate("evaluating-base", EvaluatedAnswer.BaseModel, Splits.Validation, step: 0, cancellationToken);
        Answer(step: 0, cancellationToken);
        var state = new TrainingState
        {
            Base = metrics, Job = _checkpoints.Job, ShuffledBytes = _disk.ShuffledBytes, CachesFeatures = _features is not null,
        };
        Record(state, metrics);
        return state;
    }

    private TrainingState Resume(TrainingState state, string folder)
    {
        _trained.Load(folder);
        _sampleAnswers.RestoreAsync(state.Step, CancellationToken.None).GetAwaiter().GetResult();
        _progressWriter.Update(h => h with
        {
            Step = state.Step,
            Epoch = _loop.Epoch(state.Samples),
            Loss = state.Loss,
            ValidationLoss = state.BestLoss,
        });
        return state;
    }

    private EvaluationMetrics Validate(TrainingState state, CancellationToken cancellationToken)
    {
        var metrics = _evaluator.Loss(_data.Validation, cancellationToken);
        Answer(state.Step, cancellationToken);
        Record(state, metrics);
        return metrics;
    }

    private void Answer(int step, CancellationToken cancellationToken) =>
        _progressWriter.Record(
            _sampleAnswers.Record(step, _evaluator.Answers(_sampleAnswers.Samples, progress: null, cancellationToken)));

    private void Record(TrainingState state, EvaluationMetrics metrics)
    {
        _progressWriter.Record(new MetricsLine
        {
            Step = state.Step,
            Epoch = _loop.Epoch(state.Samples),
            Seconds = state.Seconds,
            Validation = metrics,
        });
        _progressWriter.Update(h => h with { ValidationLoss = metrics.Loss });
    }

    private EvaluationMetrics Evaluate(string phase, string model, string split, int step, CancellationToken cancellationToken)
    {
        _progressWriter.EnterPhase(phase);
        var started = _time.GetTimestamp();
        var samples = split == Splits.Test ? _data.Test : _data.Validation;
        var (metrics, answers) = _evaluator.LossAndAnswers(samples, Progress, cancellationToken);
        _progressWriter.Record(new EvaluationStep(step, split, [.. answers.Select(a =>
            new EvaluatedAnswer(model, split, a.Truth, a.Answer.Text, a.Answer.Confidence)
            {
                Title = a.Answer.Read?.Title,
                Category = a.Answer.Read?.Category,
                Price = a.Answer.Read?.Price,
                Fields = a.Answer.Read?.Fields,
            })]));
        return metrics;

        void Progress(double done)
        {
            var elapsed = _time.GetElapsedTime(started).TotalSeconds;
            _progressWriter.Update(h => h with { EtaSeconds = elapsed * (1 - done) / done });
        }
    }
}

/// <summary>Use of the machine by a <see cref="TrainingJobRunner"/>; the training itself is set by the job.</summary>
public sealed record TrainingJobRunnerOptions
{
    /// <summary>Local folder for shards, models and checkpoint drafts; a run's sub-folder is removed when the run ends.</summary>
    public string WorkFolder { get; init; } = Path.Combine(Path.GetTempPath(), "functions-pipeline");

    /// <summary>Maximum memory for prepared images, in bytes; images beyond it are decoded again in each epoch.</summary>
    public long ImageCacheBytes { get; init; } = 2L << 30;

    /// <summary>
    /// Maximum disk space for shards, in bytes, on a disk that has so much: <see cref="DiskBudget"/>. Beyond it the least recently used
    /// ones are removed.
    /// </summary>
    public long ShardCacheBytes { get; init; } = 20L << 30;

    /// <summary>
    /// Maximum disk space for the features of a frozen vision tower, in bytes, kept across runs. Features of a dataset that takes more are
    /// not cached.
    /// </summary>
    public long FeatureCacheBytes { get; init; } = 20L << 30;

    /// <summary>Interval between two heartbeats.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Returns the value of an environment variable, null for none: the tools that runs are tracked with besides their own documents are
    /// set by variables of theirs.
    /// </summary>
    public Func<string, string?> Variable { get; init; } = _ => null;
}

/// <summary>Thrown when a run cannot continue; the message names the cause and a remedy for the user who started the run.</summary>
public sealed class TrainingException(string message, Exception? inner = null) : Exception(message, inner);

using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning;

/// <summary>Computation of a run on one thread: evaluation before training, training with validations, final evaluation, export.</summary>
internal sealed class TrainingRun : IDisposable
{
    private readonly TrainingJob _job;
    private readonly TrainingData _data;
    private readonly TrainedModel _trained;
    private readonly Evaluator _evaluator;
    private readonly Gallery _gallery;
    private readonly FeaturePass? _features;
    private readonly TrainingLoop _loop;
    private readonly RunCheckpoints _checkpoints;
    private readonly RunReporter _reporter;
    private readonly TimeProvider _time;

    /// <param name="indexes">Indexes of all the job's shards.</param>
    /// <param name="baseModel">Folder of the base model.</param>
    /// <exception cref="TrainingException">
    /// The settings, the data and the model do not fit together; the message says what to change.
    /// </exception>
    public TrainingRun(
        TrainingJob job, IReadOnlyList<ShardIndex> indexes, ShardCache shards, string baseModel, RunCheckpoints checkpoints, IRunStore store,
        TrainerOptions options, TimeProvider time, RunReporter reporter, ILogger logger)
    {
        (_job, _checkpoints, _time, _reporter) = (job, checkpoints, time, reporter);
        var settings = job.Settings;
        _trained = new TrainedModel(baseModel, settings);
        var rows = new RowBuilder(_trained.Tokenizer, ServingSettings.Of(settings));
        var processor = new ImageProcessor(settings.NumCrops);
        var room = _trained.Config.MaxPositionEmbeddings;
        _data = TrainingData.Plan(indexes, rows, processor, Math.Min(settings.MaxTokens ?? room, room));
        var images = new ImageSource(shards, processor, options.ImageCacheBytes);
        var features = _trained.FrozenTower(settings) is { } tower
            ? new FeatureStore(Path.Combine(options.WorkFolder, "features"), $"{Path.GetFileName(baseModel)} {tower}", settings.NumCrops, options.FeatureCacheBytes)
            : null;
        var reader = new BatchReader(images, rows, _trained.Config.PadTokenId, settings.Packing, features);
        _features = features is null ? null : new FeaturePass(_trained.Model, reader, features, reporter, time);
        var baselines = Baselines.Of(_data.Training.Select(sample => sample.Labels));
        _evaluator = new Evaluator(_trained.Model, reader, rows, baselines, settings, _trained.Device);
        _gallery = new Gallery(store, job.Run, Evaluator.SpreadEvenly(_data.Validation, settings.GallerySamples), shards, new AnswerTemplate(settings.AnswerTemplate));
        reporter.Keep(_gallery);
        _loop = new TrainingLoop(settings, _trained, _data.Training, reader, checkpoints, reporter, time);
        logger.Starting(job.Run, _data.Training.Count, _data.Validation.Count, _data.Test.Count, _data.Dropped, _trained.Parameters.Count, _loop.Steps);
    }

    /// <summary>Evaluates, trains, evaluates again, and saves the model.</summary>
    /// <param name="resumed">Checkpoint to resume from, with its folder; null starts from the base model.</param>
    /// <param name="output">Folder for the fine-tuned model.</param>
    public RunResult Train((TrainingState State, string Folder)? resumed, string output, CancellationToken cancellationToken)
    {
        _reporter.Update(h => h with { Steps = _loop.Steps });
        _features?.Run([.. _data.Training, .. _data.Validation, .. _data.Test], cancellationToken);
        var state = resumed is var (known, folder) ? Resume(known, folder) : Begin(cancellationToken);

        _reporter.Enter("training");
        state = _loop.Run(state, at => Validate(at, cancellationToken), cancellationToken);
        var best = _loop.WantsBest && state.BestStep < state.Step && state.BestLoss is not null ? state.BestStep : default(int?);
        if (best is { } step) _trained.LoadWeights(_checkpoints.FolderAsync(step, cancellationToken).GetAwaiter().GetResult());

        var after = Evaluate("evaluating", _data.Validation, cancellationToken);
        Answer(state.Step, cancellationToken);
        Record(state, after);
        var test = _data.Test.Count > 0 ? Evaluate("testing", _data.Test, cancellationToken) : null;

        _reporter.Enter("saving");
        var result = new RunResult
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
        ServingSettings.Save(output, _job.Settings);
        ModelCard.Write(output, _job, result);
        return result;
    }

    public void Dispose() => _trained.Dispose();

    private TrainingState Begin(CancellationToken cancellationToken)
    {
        var metrics = Evaluate("evaluating-base", _data.Validation, cancellationToken);
        Answer(step: 0, cancellationToken);
        var state = new TrainingState { Base = metrics, Job = _checkpoints.Job };
        Record(state, metrics);
        return state;
    }

    private TrainingState Resume(TrainingState state, string folder)
    {
        _trained.Load(folder);
        _gallery.RestoreAsync(state.Step, CancellationToken.None).GetAwaiter().GetResult();
        _reporter.Update(h => h with { Step = state.Step, Epoch = _loop.Epoch(state.Samples), Loss = state.Loss, ValidationLoss = state.BestLoss });
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
        _gallery.Record(step, _evaluator.Answers(_gallery.Samples, progress: null, cancellationToken));

    private void Record(TrainingState state, EvaluationMetrics metrics)
    {
        _reporter.Record(new MetricsLine { Step = state.Step, Epoch = _loop.Epoch(state.Samples), Seconds = state.Seconds, Validation = metrics });
        _reporter.Update(h => h with { ValidationLoss = metrics.Loss });
    }

    private EvaluationMetrics Evaluate(string phase, IReadOnlyList<Sample> split, CancellationToken cancellationToken)
    {
        _reporter.Enter(phase);
        var started = _time.GetTimestamp();
        return _evaluator.LossAndAnswers(split, Progress, cancellationToken);

        void Progress(double done)
        {
            var elapsed = _time.GetElapsedTime(started).TotalSeconds;
            _reporter.Update(h => h with { EtaSeconds = elapsed * (1 - done) / done });
        }
    }
}

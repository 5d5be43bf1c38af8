using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using Microsoft.Extensions.Logging;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>The computing part of a run, all on one thread: full fine-tuning with AdamW between two evaluations.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const int Validations = 10;
    private const double LossMemory = 0.95;

    private readonly TrainingJob _job;
    private readonly TrainingData _data;
    private readonly TimeProvider _time;
    private readonly RunReporter _reporter;
    private readonly Device _device;
    private readonly LoadedModel _loaded;
    private readonly BatchReader _reader;
    private readonly Evaluator _evaluator;
    private readonly AdamW _optimizer;
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly LearningRateSchedule _schedule;
    private readonly int _steps;

    public TrainingRun(TrainingJob job, IReadOnlyList<ShardIndex> indexes, ShardCache shards, string baseModel,
        TrainerOptions options, TimeProvider time, RunReporter reporter, ILogger logger)
    {
        (_job, _time, _reporter) = (job, time, reporter);
        var settings = job.Settings;
        _device = new Device(settings.Device ?? (cuda.is_available() ? "cuda" : "cpu"));
        manual_seed(settings.Seed);
        _loaded = ModelFolder.Load(baseModel, _device, ScalarType.Float32);
        _parameters = [.. _loaded.Model.parameters()];
        _optimizer = ParameterGroups.Optimizer(_loaded.Model, settings.LearningRate, settings.WeightDecay);

        var rows = new RowBuilder(_loaded.Tokenizer, ServingSettings.Of(settings));
        var processor = new ImageProcessor(settings.NumCrops);
        var room = _loaded.Config.MaxPositionEmbeddings;
        _data = TrainingData.Plan(indexes, rows, processor, Math.Min(settings.MaxTokens ?? room, room));
        var images = new ImageSource(shards, processor, options.ImageCacheBytes);
        _reader = new BatchReader(images, rows, _loaded.Config.PadTokenId);
        var baselines = Baselines.Of(_data.Training.Select(s => s.Labels));
        _evaluator = new Evaluator(_loaded.Model, _data.Validation, _reader, rows, baselines, settings, _device);

        _steps = Math.Max(1, (int)Math.Ceiling(settings.Epochs * _data.Training.Count / settings.BatchSize));
        if (settings.MaxSteps is { } limit) _steps = Math.Min(_steps, limit);
        _schedule = new LearningRateSchedule(settings, _steps);
        logger.Starting(job.Run, _data.Training.Count, _data.Validation.Count, _parameters.Sum(p => p.numel()), _steps);
    }

    /// <summary>Evaluates, trains, evaluates again, and saves the model.</summary>
    /// <param name="output">Folder for the fine-tuned model.</param>
    public RunResult Train(string output, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        var before = Evaluate("evaluating-base", cancellationToken);
        _reporter.Record(new MetricsLine { Step = 0, Epoch = 0, Seconds = 0, Validation = before });
        _reporter.Update(h => h with { Steps = _steps, ValidationLoss = before.Loss });

        _reporter.Enter("training");
        var trained = _time.GetTimestamp();
        var step = Learn(trained, cancellationToken);

        var seconds = _time.GetElapsedTime(trained).TotalSeconds;
        var after = Evaluate("evaluating", cancellationToken);
        _reporter.Record(new MetricsLine { Step = step, Epoch = Epoch(step), Seconds = seconds, Validation = after });
        _reporter.Update(h => h with { ValidationLoss = after.Loss });

        _reporter.Enter("saving");
        ModelFolder.Save(output, _loaded.Model, _loaded.Config, _loaded.Tokenizer);
        ServingSettings.Save(output, _job.Settings);
        return new RunResult
        {
            Run = _job.Run,
            Succeeded = true,
            Model = _job.OutputModel,
            Steps = step,
            TrainingSamples = (long)step * _job.Settings.BatchSize,
            Seconds = _time.GetElapsedTime(started).TotalSeconds,
            Base = before,
            FineTuned = after,
            DroppedSamples = _data.Dropped,
        };
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _loaded.Dispose();
    }

    /// <returns>The steps taken.</returns>
    private int Learn(long started, CancellationToken cancellationToken)
    {
        var settings = _job.Settings;
        double? loss = null;
        var validated = 0;
        var step = 0;
        using var gradient = new BatchGradient(_loaded.Model, _device, settings.BatchSize);
        var batches = new SampleOrder(_data.Training, settings.Seed).Batches(settings.BatchSize, 0, (long)_steps * settings.BatchSize);
        var parts = batches.SelectMany(batch => batch.Chunk(gradient.PartSize));
        _loaded.Model.train();
        var augmentation = settings.AugmentImages ? (settings.Seed, 0L) : default((int, long)?);
        foreach (var batch in _reader.Read(parts, augmentation, cancellationToken).Chunk(gradient.Parts))
        {
            var begun = _time.GetTimestamp();
            var rate = _schedule.Rate(step, _time.GetElapsedTime(started));
            var (value, norm) = Step(gradient, batch, rate, step + 1);
            step++;
            loss = loss is { } mean ? LossMemory * mean + (1 - LossMemory) * value : value;

            var elapsed = _time.GetElapsedTime(started);
            var taken = _time.GetElapsedTime(begun).TotalSeconds;
            var progress = _schedule.Progress(step, elapsed);
            _reporter.Record(new MetricsLine
            {
                Step = step,
                Epoch = Epoch(step),
                Seconds = elapsed.TotalSeconds,
                Loss = value,
                LearningRate = rate,
                GradNorm = norm,
                ImagesPerSecond = batch.Sum(part => part.Rows) / taken,
                TokensPerSecond = batch.Sum(part => part.Tokens) / taken,
            });
            _reporter.Update(h => h with
            {
                Step = step,
                Epoch = Epoch(step),
                Loss = loss,
                SamplesPerSecond = step * settings.BatchSize / elapsed.TotalSeconds,
                EtaSeconds = elapsed.TotalSeconds * (1 - progress) / progress,
            });
            if (progress >= 1) break;
            if (!IsDue(step, progress, ref validated)) continue;
            var metrics = _evaluator.Loss(cancellationToken);
            _reporter.Record(new MetricsLine { Step = step, Epoch = Epoch(step), Seconds = elapsed.TotalSeconds, Validation = metrics });
            _reporter.Update(h => h with { ValidationLoss = metrics.Loss });
        }
        return step;
    }

    private (double Loss, double Norm) Step(BatchGradient gradient, TrainingBatch[] batch, double rate, int step)
    {
        using var scope = NewDisposeScope();
        foreach (var group in _optimizer.ParamGroups) group.LearningRate = rate;
        _optimizer.zero_grad();
        var value = gradient.Add(batch);
        if (!double.IsFinite(value)) throw Diverged("loss", value, rate, step);
        var norm = nn.utils.clip_grad_norm_(_parameters, _job.Settings.MaxGradNorm);
        if (!double.IsFinite(norm)) throw Diverged("gradient norm", norm, rate, step);
        _optimizer.step();
        return (value, norm);
    }

    private static TrainingException Diverged(string what, double value, double rate, int step) => new(
        $"The {what} became {value} at step {step}, at a learning rate of {rate:g3}. " +
        "Lower training.learningRate or lengthen training.warmupSteps.");

    private bool IsDue(int step, double progress, ref int validated)
    {
        if (_job.Settings.EvaluateEvery is { } every) return step % every == 0;
        var due = (int)(progress * Validations);
        if (due <= validated) return false;
        validated = due;
        return true;
    }

    private EvaluationMetrics Evaluate(string phase, CancellationToken cancellationToken)
    {
        _reporter.Enter(phase);
        var started = _time.GetTimestamp();
        return _evaluator.LossAndAnswers(Progress, cancellationToken);

        void Progress(double done)
        {
            var elapsed = _time.GetElapsedTime(started).TotalSeconds;
            _reporter.Update(h => h with { EtaSeconds = elapsed * (1 - done) / done });
        }
    }

    private double Epoch(int step) => (double)step * _job.Settings.BatchSize / _data.Training.Count;
}

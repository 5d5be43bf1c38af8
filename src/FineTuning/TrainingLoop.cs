using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.FineTuning.Tracking;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Runs the optimizer steps of a run, with validations and checkpoints between them. A run that was interrupted, also during a validation,
/// resumes from its checkpoint and computes the same numbers as without the interruption.
/// </summary>
internal sealed class TrainingLoop
{
    // Validations of a run whose settings do not say how often, spread evenly over its progress.
    private const int Validations = 10;

    // Averages over about 1 / (1 - 0.95) = 20 steps.
    private const double LossMemory = 0.95;

    private readonly TrainingSettings _settings;
    private readonly TrainedModel _trained;
    private readonly IReadOnlyList<Sample> _samples;
    private readonly BatchReader _reader;
    private readonly RunCheckpoints _checkpoints;
    private readonly DeviceMeter _meter;
    private readonly RunProgressWriter _progressWriter;
    private readonly TimeProvider _time;
    private readonly LearningRateSchedule _schedule;
    private readonly long _total;
    private int? _saved;
    private long _savedAt;

    /// <param name="samples">The training split.</param>
    public TrainingLoop(
        TrainingSettings settings, TrainedModel trained, IReadOnlyList<Sample> samples, BatchReader reader, RunCheckpoints checkpoints,
        RunProgressWriter progressWriter, TimeProvider time)
    {
        _settings = settings;
        _trained = trained;
        _samples = samples;
        _reader = reader;
        _checkpoints = checkpoints;
        _meter = trained.Meter();
        _progressWriter = progressWriter;
        _time = time;
        _total = Math.Max(1, (long)Math.Round(settings.Epochs * samples.Count));
        if (settings.MaxSteps is { } limit) _total = Math.Min(_total, (long)limit * settings.BatchSize);
        // Rounded up: the last step may have fewer samples.
        Steps = (int)((_total + settings.BatchSize - 1) / settings.BatchSize);
        _schedule = new LearningRateSchedule(settings, Steps);
    }

    /// <summary>Number of steps of the training, unless a time limit or early stopping ends it sooner.</summary>
    public int Steps { get; }

    /// <summary>True when the run ends with the weights of the lowest validation loss.</summary>
    public bool WantsBest => EndsWithBest(_settings);

    /// <inheritdoc cref="WantsBest"/>
    public static bool EndsWithBest(TrainingSettings settings) => settings.UseBest ?? settings.EarlyStopping is not null;

    /// <summary>Trains to the end.</summary>
    /// <param name="state">State to start from, which the model and the optimizer are already in.</param>
    /// <param name="validate">Measures the loss of the model after a step.</param>
    /// <returns>The last state. Its checkpoint has been started.</returns>
    /// <exception cref="OperationCanceledException">
    /// The run was asked to stop; a checkpoint was started if there was a step to save.
    /// </exception>
    /// <exception cref="TrainingException">The loss or the gradient's norm is not finite.</exception>
    public TrainingState Run(TrainingState state, Func<TrainingState, EvaluationMetrics> validate, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        var before = state.Seconds;
        _saved = state.Step == 0 ? null : state.Step;
        _savedAt = started;
        _schedule.WarmupEnd = TimeSpan.FromSeconds(state.WarmupEndSeconds);
        using var gradient = new BatchGradient(
            _trained.Model, _trained.Device, _settings.BatchSize, _settings.MicroBatchSize, _settings.RecomputeActivations,
            _settings.Lora.Dropout > 0 ? _trained.Adapters : null);
        var batches = new SampleOrder(_samples, _settings.Seed, state.ShuffledBytes)
            .Batches(_settings.BatchSize, state.Samples, _total)
            .SelectMany(batch => batch.Chunk(gradient.PartSize));
        using var steps = StepsOf(batches, state.Samples, gradient, cancellationToken).GetEnumerator();
        _trained.Model.train();
        try
        {
            while (true)
            {
                state = state with { Seconds = before + _time.GetElapsedTime(started).TotalSeconds };
                var progress = _schedule.Progress(state.Step, TimeSpan.FromSeconds(state.Seconds));
                // By progress, since a time limit may end the run at any step. A count, so that a resumed run repeats no validation.
                var due = _settings.EvaluateEvery is { } every ? state.Step / every : (int)(progress * Validations);
                var validated = false;
                // The last step needs no validation here: the final evaluation measures it, with answers.
                if (due > state.Validated && (progress < 1 || WantsBest))
                {
                    state = state.Validate(validate(state).Loss) with { Validated = due };
                    validated = true;
                }
                var ends = progress >= 1 || state.SinceBest >= _settings.EarlyStopping;
                if (ends || IsDue(state, validated)) Save(state);
                if (ends) return state;
                cancellationToken.ThrowIfCancellationRequested();
                if (!steps.MoveNext()) throw new InvalidOperationException($"The data ended at step {state.Step} of {Steps}.");
                state = Step(state, gradient, steps.Current, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // A cancellation is thrown before a step has changed anything or in a validation: weights, optimizer and state are of one step.
            if (state.Step > 0) Save(state);
            throw;
        }
    }

    /// <summary>Converts a number of samples to epochs, passes over the training split.</summary>
    public double Epoch(long samples) => (double)samples / _samples.Count;

    private bool IsDue(TrainingState state, bool validated)
    {
        if (state.Step > 0 && _time.GetElapsedTime(_savedAt).TotalMinutes >= _settings.CheckpointEveryMinutes) return true;
        return _settings.CheckpointEvery is { } every
            ? state.Step > 0 && state.Step % every == 0 || WantsBest && validated && state.BestStep == state.Step
            : validated;
    }

    private void Save(TrainingState state)
    {
        if (_saved != state.Step)
        {
            // Before the checkpoint, which is uploaded after the metrics: a run that resumes from it finds the line, once, and readers find
            // the lines in the order of their steps.
            _progressWriter.Record(new MetricsLine
            {
                Step = state.Step, Epoch = Epoch(state.Samples), Seconds = state.Seconds, Checkpoint = true,
            });
            _checkpoints.Write(state, _trained.Save);
        }
        (_saved, _savedAt) = (state.Step, _time.GetTimestamp());
    }

    private IEnumerable<TrainingBatch[]> StepsOf(
        IEnumerable<IReadOnlyList<Sample>> parts, long start, BatchGradient gradient, CancellationToken cancellationToken)
    {
        var augmentation = _settings.AugmentImages ? (_settings.Seed, start) : default((int, long)?);
        var step = new List<TrainingBatch>(gradient.Parts);
        foreach (var part in _reader.Read(parts, augmentation, cancellationToken))
        {
            step.Add(part);
            start += part.Rows;
            // A step is complete at a multiple of the batch size, or at the end of the data.
            if (start % _settings.BatchSize != 0 && start < _total) continue;
            yield return [.. step];
            step.Clear();
        }
    }

    private TrainingState Step(TrainingState state, BatchGradient gradient, TrainingBatch[] parts, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var begun = _time.GetTimestamp();
        var factor = _schedule.Factor(state.Step, TimeSpan.FromSeconds(state.Seconds));
        var number = state.Step + 1;
        // The seed of the dropout masks is a function of the step's number, so that a resumed run draws the same masks.
        var loss = gradient.Add(parts, SeededRandom.At(_settings.Seed, number).NextInt64(), cancellationToken);
        if (!double.IsFinite(loss)) throw Diverged("loss", loss, factor, number);
        var norm = _trained.Optimizer.ClipAndStep(_settings.MaxGradNorm, factor);
        if (!double.IsFinite(norm)) throw Diverged("gradient norm", norm, factor, number);

        var rows = parts.Sum(part => part.Rows);
        var next = state with
        {
            Step = number,
            Samples = state.Samples + rows,
            // Exponential moving average: m ← 0.95 m + 0.05 loss, started at the first loss.
            Loss = state.Loss is { } mean ? LossMemory * mean + (1 - LossMemory) * loss : loss,
            WarmupEndSeconds = _schedule.WarmupEnd.TotalSeconds,
        };
        Report(next, parts, loss, norm, factor, _time.GetElapsedTime(begun).TotalSeconds);
        return next;
    }

    private void Report(TrainingState state, TrainingBatch[] parts, double loss, double norm, double factor, double taken)
    {
        var (rows, tokens) = (parts.Sum(part => part.Rows), parts.Sum(part => part.Tokens));
        _progressWriter.Record(new MetricsLine
        {
            Step = state.Step,
            Epoch = Epoch(state.Samples),
            Seconds = state.Seconds + taken,
            Loss = loss,
            LearningRate = _settings.LearningRate * factor,
            GradNorm = norm,
            ImagesPerSecond = rows / taken,
            TokensPerSecond = tokens / taken,
            PaddingShare = 1 - (double)tokens / parts.Sum(part => (long)part.PositionCount),
            Mfu = _meter.Utilization(parts.Select(part => part.Size).Aggregate((a, b) => a + b), taken),
            ResidentBytes = Environment.WorkingSet,
            GpuBytes = _meter.GpuBytes,
            GpuUtilization = _meter.GpuUtilization,
        });
        var seconds = state.Seconds + taken;
        var progress = _schedule.Progress(state.Step, TimeSpan.FromSeconds(seconds));
        _progressWriter.Update(h => h with
        {
            Step = state.Step,
            Epoch = Epoch(state.Samples),
            Loss = state.Loss,
            SamplesPerSecond = state.Samples / seconds,
            // Remaining time at the average speed so far: elapsed · (1 - p) / p.
            EtaSeconds = seconds * (1 - progress) / progress,
        });
    }

    private TrainingException Diverged(string what, double value, double factor, int step) => new(
        $"The {what} became {value} at step {step}, at a learning rate of {_settings.LearningRate * factor:g3}. " +
        "Lower training.learningRate or lengthen training.warmupSteps.");
}

/// <summary>
/// Learning rate over a run: a linear warm-up, then the decay of the settings. The decay follows the steps or, where the training time is
/// limited, the clock, whichever is further on, so that a linear or cosine decay reaches 0 when training ends.
/// </summary>
/// <param name="steps">Number of steps of the training if time allows.</param>
public sealed class LearningRateSchedule(TrainingSettings settings, int steps)
{
    /// <summary>Training time at the end of the warm-up; part of a checkpoint.</summary>
    public TimeSpan WarmupEnd { get; set; }

    /// <summary>Computes the share of the training that is done, 0 to 1: the larger of the shares by steps and by time.</summary>
    public double Progress(int step, TimeSpan elapsed)
    {
        var bySteps = (double)step / steps;
        var byClock = settings.MaxMinutes is { } minutes ? elapsed.TotalMinutes / minutes : 0;
        return Math.Min(1, Math.Max(bySteps, byClock));
    }

    /// <summary>Computes the factor on the peak learning rate of a step.</summary>
    /// <param name="step">Number of the step, counted from 0.</param>
    /// <param name="elapsed">Training time so far; must not decrease from one call to the next.</param>
    public double Factor(int step, TimeSpan elapsed)
    {
        // (step + 1) / warmupSteps: the first step has a rate above 0, the last of the warm-up the peak rate.
        if (step < settings.WarmupSteps)
        {
            WarmupEnd = elapsed;
            return (double)(step + 1) / settings.WarmupSteps;
        }
        // Progress after the warm-up, rescaled to 0 … 1.
        var start = Math.Min(Progress(settings.WarmupSteps, WarmupEnd), 1);
        var done = start < 1 ? Math.Clamp((Progress(step, elapsed) - start) / (1 - start), 0, 1) : 1;
        return settings.Schedule switch
        {
            ScheduleShape.Constant => 1,
            ScheduleShape.Linear => 1 - done,
            // Half a cosine period, from 1 to 0 (https://arxiv.org/abs/1608.03983, without restarts).
            _ => 0.5 * (1 + Math.Cos(Math.PI * done)),
        };
    }
}

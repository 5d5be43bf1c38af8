using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Measures a model on the validation split.</summary>
/// <param name="model">The model as it is at the time of each call.</param>
/// <param name="validation">At least one sample.</param>
internal sealed class Evaluator(
    Phi3VisionModel model, IReadOnlyList<Sample> validation, BatchReader reader, RowBuilder rows, Baselines baselines,
    TrainingSettings settings, Device device)
{
    private const int GeneratedTogether = 8;

    /// <summary>The mean loss of the answer tokens over the whole split; no answers are generated.</summary>
    public EvaluationMetrics Loss(CancellationToken cancellationToken)
    {
        model.eval();
        var loss = new AnswerLoss(model, device);
        double sum = 0;
        long labels = 0;
        foreach (var batch in reader.Read(validation.Chunk(settings.BatchSize), augmentation: null, cancellationToken))
        {
            sum += loss.Sum(batch);
            labels += batch.Labels;
        }
        model.train();
        return new EvaluationMetrics { Loss = sum / labels, Samples = validation.Count };
    }

    /// <summary>The loss, and how good the answers are that the model generates.</summary>
    /// <param name="progress">Told the share of answers that is done.</param>
    public EvaluationMetrics LossAndAnswers(Action<double> progress, CancellationToken cancellationToken)
    {
        var loss = Loss(cancellationToken);
        // Evenly over the split: its order may follow the categories.
        var count = Math.Min(settings.EvaluationSamples ?? validation.Count, validation.Count);
        var chosen = Enumerable.Range(0, count).Select(i => validation[(int)((long)i * validation.Count / count)]).ToList();
        var generator = new Phi3Vision.Generator(model);
        var generation = new GenerationSettings { MaxTokens = settings.MaxAnswerTokens, StopTokens = rows.StopTokens };
        var answers = new List<(SampleLabels, string)>();
        model.eval();
        foreach (var samples in chosen.Chunk(GeneratedTogether))
        {
            using var scope = NewDisposeScope();
            var prompts = reader.Prompts(samples).Input(device);
            var generated = generator.Generate(prompts, generation, cancellationToken);
            answers.AddRange(samples.Zip(generated, (sample, answer) => (sample.Labels, rows.Decode(answer.Ids))));
            progress((double)answers.Count / count);
        }
        model.train();
        return AnswerMetrics.Measure(loss, answers, baselines);
    }
}

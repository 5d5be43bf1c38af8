using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Measures a model on a split.</summary>
/// <param name="model">Model under training, measured as it is at each call and left in training mode.</param>
internal sealed class Evaluator(
    Phi3VisionModel model, BatchReader reader, RowBuilder rows, Baselines baselines, TrainingSettings settings, Device device)
{
    private const int GeneratedTogether = 8;

    private readonly AnswerTemplate _template = new(settings.AnswerTemplate);

    /// <summary>Computes the mean loss per answer token over a complete split, without generating answers.</summary>
    /// <param name="split">At least one sample.</param>
    public EvaluationMetrics Loss(IReadOnlyList<Sample> split, CancellationToken cancellationToken)
    {
        model.eval();
        var loss = new AnswerLoss(model, device);
        double sum = 0;
        long labels = 0;
        foreach (var batch in reader.Read(split.Chunk(settings.BatchSize), augmentation: null, cancellationToken))
        {
            sum += loss.Sum(batch);
            labels += batch.Labels;
        }
        model.train();
        return new EvaluationMetrics { Loss = sum / labels, Samples = split.Count };
    }

    /// <summary>
    /// Computes the loss, and figures on the answers generated for <see cref="TrainingSettings.EvaluationSamples"/> samples of a split.
    /// </summary>
    /// <param name="split">At least one sample.</param>
    /// <param name="progress">Receives the share of answers generated so far.</param>
    public EvaluationMetrics LossAndAnswers(IReadOnlyList<Sample> split, Action<double> progress, CancellationToken cancellationToken)
    {
        var loss = Loss(split, cancellationToken);
        var chosen = SpreadEvenly(split, settings.EvaluationSamples ?? split.Count);
        var answers = Answers(chosen, progress, cancellationToken);
        return AnswerMetrics.Measure(loss, [.. chosen.Zip(answers, (sample, text) => (sample.Labels, text))], _template, baselines);
    }

    /// <summary>Generates the answers to samples, in the order of the samples.</summary>
    /// <param name="progress">Receives the share of answers generated so far.</param>
    public IReadOnlyList<string> Answers(IReadOnlyList<Sample> samples, Action<double>? progress, CancellationToken cancellationToken)
    {
        var generator = new TextGenerator(model);
        var generation = new GenerationSettings { MaxTokens = settings.MaxAnswerTokens, StopTokens = rows.StopTokens };
        var answers = new List<string>();
        model.eval();
        foreach (var together in samples.Chunk(GeneratedTogether))
        {
            using var scope = NewDisposeScope();
            var prompts = reader.Prompts(together).Input(device);
            answers.AddRange(generator.Generate(prompts, generation, cancellationToken).Select(answer => rows.Decode(answer.Ids)));
            progress?.Invoke((double)answers.Count / samples.Count);
        }
        model.train();
        return answers;
    }

    /// <summary>Selects at most <paramref name="count"/> samples at even distances, since a split may be sorted by category.</summary>
    public static IReadOnlyList<Sample> SpreadEvenly(IReadOnlyList<Sample> split, int count)
    {
        count = Math.Min(count, split.Count);
        return [.. Enumerable.Range(0, count).Select(i => split[(int)((long)i * split.Count / count)])];
    }
}

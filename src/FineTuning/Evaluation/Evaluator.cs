using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Model;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>Measures a model on a split.</summary>
/// <param name="model">Model under training, measured as it is at each call and left in training mode.</param>
internal sealed class Evaluator(
    Phi3VisionModel model, BatchReader reader, RowBuilder rows, NaiveBaseline baseline, TrainingSettings settings, Device device)
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
    /// <returns>The figures, and the answers that they are of.</returns>
    public (EvaluationMetrics Metrics, IReadOnlyList<(SampleLabels Truth, PredictedAnswer Answer)> Answers) LossAndAnswers(
        IReadOnlyList<Sample> split, Action<double> progress, CancellationToken cancellationToken)
    {
        var loss = Loss(split, cancellationToken);
        var chosen = SpreadEvenly(split, settings.EvaluationSamples ?? split.Count);
        var answers = chosen.Zip(Answers(chosen, progress, cancellationToken), (sample, answer) => (sample.Labels, answer)).ToList();
        var metrics = AnswerMetrics.Measure(loss, [.. answers.Select(a => (a.Labels, a.answer.Text))], _template, baseline);
        return (metrics, answers);
    }

    /// <summary>Generates the answers to samples, in the order of the samples.</summary>
    /// <param name="progress">Receives the share of answers generated so far.</param>
    public IReadOnlyList<PredictedAnswer> Answers(
        IReadOnlyList<Sample> samples, Action<double>? progress, CancellationToken cancellationToken)
    {
        var generator = new TextGenerator(model);
        var generation = new GenerationSettings { MaxTokens = settings.MaxAnswerTokens, StopTokens = rows.StopTokens };
        var answers = new List<PredictedAnswer>();
        model.eval();
        foreach (var together in samples.Chunk(GeneratedTogether))
        {
            using var scope = NewDisposeScope();
            var prompts = reader.Prompts(together).Input(device);
            answers.AddRange(generator.Generate(prompts, generation, cancellationToken).Select(answer => PredictedAnswer.Of(answer, rows)));
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

/// <summary>
/// Compares generated answers with the truth. A figure about a part of the answer counts only samples whose truth has that part, and is
/// null when there are none.
/// </summary>
public static class AnswerMetrics
{
    /// <summary>Adds the figures about answers to a measured loss.</summary>
    /// <param name="answers">The truth and the generated text of each sample.</param>
    /// <param name="template">Template that answers are parsed with.</param>
    public static EvaluationMetrics Measure(
        EvaluationMetrics loss, IReadOnlyList<(SampleLabels Truth, string Text)> answers, AnswerTemplate template, NaiveBaseline baseline)
    {
        var parsed = answers.Select(a => (a.Truth, Answer: template.Read(a.Text))).ToList();
        var categories = parsed.Where(p => p.Truth.Category is not null).ToList();
        var titles = parsed.Where(p => p.Truth.Title is not null).ToList();
        var prices = parsed.Where(p => p.Truth.Price is not null).ToList();
        // An answer without a price counts as a price of 0, so that leaving the price out does not improve the figure.
        var answered = new PriceErrors([.. prices.Select(p => (p.Truth.Price!.Value, p.Answer?.Price ?? 0))]);
        var guessed = new PriceErrors(baseline.Price is { } price ? [.. prices.Select(p => (p.Truth.Price!.Value, price))] : []);
        return loss with
        {
            Generated = answers.Count,
            ParsedShare = Share(parsed, p => p.Answer is not null),
            CategoryAccuracy = Share(categories, p => p.Answer?.Category == p.Truth.Category),
            MajorityCategoryAccuracy = Share(categories, p => baseline.Category == p.Truth.Category),
            Confusion = Confusion([.. categories.Select(p => (p.Truth.Category!, p.Answer?.Category))], baseline),
            TitleExactMatch = Share(titles, p => p.Answer?.Title == p.Truth.Title),
            TitleF1 = titles.Count == 0 ? null : titles.Average(p => WordOverlap.F1(p.Answer?.Title ?? "", p.Truth.Title!)),
            MedianPriceError = answered.Median,
            MeanPriceError = answered.Mean,
            MedianPricePercentError = answered.MedianPercent,
            PriceWithinTenPercent = answered.WithinTenPercent,
            BaselineMedianPriceError = guessed.Median,
            BaselineMeanPriceError = guessed.Mean,
            BaselineMedianPricePercentError = guessed.MedianPercent,
            BaselinePriceWithinTenPercent = guessed.WithinTenPercent,
        };
    }

    private static List<ConfusionRow>? Confusion(IReadOnlyList<(string Truth, string? Answered)> samples, NaiveBaseline baseline)
    {
        if (samples.Count == 0) return null;
        // Unknown categories count as none: an untrained model's invented ones would give the table one column per sample.
        var known = samples.Select(s => s.Truth).Concat(baseline.Categories).ToHashSet(StringComparer.Ordinal);
        return [.. samples.GroupBy(s => s.Truth, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(row => new ConfusionRow(row.Key, row
                .CountBy(s => s.Answered is { } answered && known.Contains(answered) ? answered : "", StringComparer.Ordinal)
                .OrderBy(count => count.Key, StringComparer.Ordinal).ToDictionary()))];
    }

    private static double? Share<T>(IReadOnlyCollection<T> items, Func<T, bool> holds) =>
        items.Count == 0 ? null : (double)items.Count(holds) / items.Count;
}

/// <summary>Baseline answers that use the training split's labels but no image.</summary>
/// <param name="Category">Most frequent category of the split; null when there is none.</param>
/// <param name="Price">Median price of the split; null when there is none.</param>
public sealed record NaiveBaseline(string? Category, double? Price)
{
    /// <summary>All categories of the split, the most frequent first.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Computes the baseline of a training split.</summary>
    public static NaiveBaseline Of(IEnumerable<SampleLabels> training)
    {
        var labels = training.ToList();
        var categories = labels.Select(l => l.Category).OfType<string>().CountBy(category => category, StringComparer.Ordinal)
            .OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal).Select(count => count.Key).ToList();
        var prices = labels.Select(l => l.Price).OfType<double>().ToList();
        return new NaiveBaseline(categories.FirstOrDefault(), Median(prices)) { Categories = categories };
    }

    /// <summary>Computes the median; null for no values.</summary>
    public static double? Median(IReadOnlyCollection<double> values)
    {
        if (values.Count == 0) return null;
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}

/// <summary>Errors of answered prices; every figure is null when there is no price.</summary>
internal sealed class PriceErrors(IReadOnlyList<(double Truth, double Answered)> prices)
{
    // Tolerance for binary fractions: 0.33 must count as 10 % off 0.3.
    private const double Rounding = 1 + 1e-9;

    private readonly IReadOnlyList<(double Truth, double Error)> _errors =
        [.. prices.Select(price => (price.Truth, Math.Abs(price.Answered - price.Truth)))];

    public double? Median => NaiveBaseline.Median([.. _errors.Select(e => e.Error)]);

    public double? Mean => _errors.Count == 0 ? null : _errors.Average(e => e.Error);

    /// <summary>Median of 100 · |answered - true| / true, in percent; prices of 0 are left out.</summary>
    public double? MedianPercent => NaiveBaseline.Median([.. _errors.Where(e => e.Truth > 0).Select(e => 100 * e.Error / e.Truth)]);

    public double? WithinTenPercent =>
        _errors.Count == 0 ? null : (double)_errors.Count(e => e.Error <= 0.1 * e.Truth * Rounding) / _errors.Count;
}

/// <summary>
/// Compares texts by their words as SQuAD does (https://arxiv.org/abs/1606.05250), but keeps articles, which some names contain.
/// </summary>
internal static partial class WordOverlap
{
    /// <summary>
    /// Computes F1 = 2 · common / (words of the answer + words of the truth), the harmonic mean of precision and recall. Words are
    /// lower-case runs of letters and digits, counted as often as they occur. 1 when neither text has a word.
    /// </summary>
    public static double F1(string answer, string truth)
    {
        var (given, wanted) = (Words(answer), Words(truth));
        var (words, wordsOfTruth) = (given.Values.Sum(), wanted.Values.Sum());
        if (words == 0 || wordsOfTruth == 0) return words == wordsOfTruth ? 1 : 0;
        var common = given.Sum(word => Math.Min(word.Value, wanted.GetValueOrDefault(word.Key)));
        return 2.0 * common / (words + wordsOfTruth);
    }

    private static Dictionary<string, int> Words(string text) =>
        Word().Matches(text.ToLowerInvariant()).CountBy(match => match.Value, StringComparer.Ordinal).ToDictionary();

    [GeneratedRegex(@"[\p{L}\p{M}\p{N}]+", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}

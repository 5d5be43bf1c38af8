using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Model;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>Measures a model on a split.</summary>
/// <param name="model">Model under training, measured as it is at each call and left in training mode.</param>
/// <param name="baselines">Baselines by field.</param>
internal sealed class Evaluator(
    Phi3VisionModel model, BatchReader reader, RowBuilder rows, IReadOnlyDictionary<string, NaiveBaseline> baselines,
    TrainingSettings settings, Device device)
{
    private const int GeneratedTogether = 8;

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
        var metrics = AnswerMetrics.Measure(loss, [.. answers.Select(a => (a.Labels, a.answer.Text))], rows.Answers, baselines);
        return (metrics, answers);
    }

    /// <summary>Generates the answers to samples, in the order of the samples.</summary>
    /// <param name="progress">Receives the share of answers generated so far.</param>
    public IReadOnlyList<PredictedAnswer> Answers(
        IReadOnlyList<Sample> samples, Action<double>? progress, CancellationToken cancellationToken)
    {
        var generator = new TextGenerator(model);
        var generation = new GenerationSettings { MaxTokens = rows.MaxAnswerTokens, StopTokens = rows.StopTokens };
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
/// Compares generated answers with the truth, field by field. A figure about a field counts only samples whose truth has that field, and is
/// null when there are none.
/// </summary>
public static class AnswerMetrics
{
    /// <summary>Adds the figures about answers to a measured loss.</summary>
    /// <param name="answers">The truth and the generated text of each sample.</param>
    /// <param name="template">Template that answers are parsed with; the fields that it names are measured.</param>
    /// <param name="baselines">Baselines by field.</param>
    public static EvaluationMetrics Measure(
        EvaluationMetrics loss, IReadOnlyList<(SampleLabels Truth, string Text)> answers, AnswerTemplate template,
        IReadOnlyDictionary<string, NaiveBaseline> baselines)
    {
        var parsed = answers.Select(a => (a.Truth, Answer: template.Read(a.Text))).ToList();
        var fields = new Dictionary<string, FieldMetrics>();
        foreach (var field in template.Parts.Select(part => part.Field))
        {
            var known = parsed.Where(p => p.Truth.ValueOf(field.Name) is not null)
                .Select(p => (p.Truth.ValueOf(field.Name)!, p.Answer?.ValueOf(field.Name))).ToList();
            if (known.Count > 0) fields[field.Name] = Measure(field, known, baselines.GetValueOrDefault(field.Name));
        }
        fields.Remove(FieldDefinition.Title, out var title);
        fields.Remove(FieldDefinition.Category, out var category);
        fields.Remove(FieldDefinition.Price, out var price);
        return loss with
        {
            Generated = answers.Count,
            ParsedShare = parsed.Count == 0 ? null : Share(parsed, p => p.Answer is not null),
            CategoryAccuracy = category?.Answered.ExactMatch,
            MajorityCategoryAccuracy = category?.Baseline?.ExactMatch,
            Confusion = category?.Confusion,
            TitleExactMatch = title?.Answered.ExactMatch,
            TitleF1 = title?.Answered.F1,
            MedianPriceError = price?.Answered.MedianError,
            MeanPriceError = price?.Answered.MeanError,
            MedianPricePercentError = price?.Answered.MedianPercentError,
            PriceWithinTenPercent = price?.Answered.WithinTenPercent,
            BaselineMedianPriceError = price?.Baseline?.MedianError,
            BaselineMeanPriceError = price?.Baseline?.MeanError,
            BaselineMedianPricePercentError = price?.Baseline?.MedianPercentError,
            BaselinePriceWithinTenPercent = price?.Baseline?.WithinTenPercent,
            Fields = fields.Count > 0 ? fields : null,
        };
    }

    /// <summary>Lists the confusion matrices of an evaluation, by field.</summary>
    public static IEnumerable<(string Field, IReadOnlyList<ConfusionRow> Rows)> Confusions(this EvaluationMetrics metrics)
    {
        if (metrics.Confusion is { } categories) yield return (FieldDefinition.Category, categories);
        foreach (var (field, measured) in metrics.Fields?.AsEnumerable() ?? [])
        {
            if (measured.Confusion is { } rows) yield return (field, rows);
        }
    }

    private static FieldMetrics Measure(
        FieldDefinition field, IReadOnlyList<(FieldValue Truth, FieldValue? Answered)> samples, NaiveBaseline? baseline) =>
        new(field.Kind, field.Unit, samples.Count, Figures(field.Kind, samples))
        {
            Baseline = baseline is null ? null : Figures(field.Kind, [.. samples.Select(s => (s.Truth, (FieldValue?)baseline.Answer))]),
            Confusion = field.Kind == FieldKind.Category ? Confusion(samples, baseline?.Categories ?? []) : null,
        };

    private static FieldFigures Figures(FieldKind kind, IReadOnlyList<(FieldValue Truth, FieldValue? Answered)> samples) => kind switch
    {
        FieldKind.Category => new FieldFigures { ExactMatch = Share(samples, s => s.Truth.Equals(s.Answered)) },
        FieldKind.Number => NumberErrors.Figures(samples),
        FieldKind.List => new FieldFigures
        {
            ExactMatch = Share(samples, s => Items(s.Truth).SetEquals(Items(s.Answered))),
            F1 = samples.Average(s => ItemOverlap(Items(s.Answered), Items(s.Truth))),
        },
        _ => new FieldFigures
        {
            ExactMatch = Share(samples, s => s.Truth.Equals(s.Answered)),
            F1 = samples.Average(s => WordOverlap.F1(s.Answered?.Text ?? "", s.Truth.Text!)),
        },
    };

    private static List<ConfusionRow> Confusion(
        IReadOnlyList<(FieldValue Truth, FieldValue? Answered)> samples, IReadOnlyList<string> categories)
    {
        // Unknown categories count as none: an untrained model's invented ones would give the table one column per sample.
        var known = samples.Select(s => s.Truth.Text!).Concat(categories).ToHashSet(StringComparer.Ordinal);
        return [.. samples.GroupBy(s => s.Truth.Text!, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(row => new ConfusionRow(row.Key, row
                .CountBy(s => s.Answered?.Text is { } answered && known.Contains(answered) ? answered : "", StringComparer.Ordinal)
                .OrderBy(count => count.Key, StringComparer.Ordinal).ToDictionary()))];
    }

    private static HashSet<string> Items(FieldValue? value) => new(value?.Items ?? [], StringComparer.Ordinal);

    // F1 = 2 · common / (items of the answer + items of the truth); 1 when neither has an item.
    private static double ItemOverlap(HashSet<string> answer, HashSet<string> truth) =>
        answer.Count + truth.Count == 0 ? 1 : 2.0 * answer.Count(truth.Contains) / (answer.Count + truth.Count);

    private static double Share<T>(IReadOnlyCollection<T> items, Func<T, bool> holds) => (double)items.Count(holds) / items.Count;
}

/// <summary>Baseline answer to a field, which uses the training split's labels but no image.</summary>
/// <param name="Answer">Most frequent category or list of the split, or its median number.</param>
public sealed record NaiveBaseline(FieldValue Answer)
{
    /// <summary>All categories of the split, the most frequent first; empty for other kinds of fields.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Computes the baselines of a training split, by field: none for free text, and none for a field without values.</summary>
    /// <param name="training">Enumerated once, as the labels may not fit into memory.</param>
    /// <param name="template">Template that names the fields.</param>
    public static IReadOnlyDictionary<string, NaiveBaseline> Of(IEnumerable<ILabels> training, AnswerTemplate template)
    {
        var fields = template.Parts.Select(part => part.Field).Where(field => field.Kind != FieldKind.Text)
            .Select(field => (Field: field, Numbers: new List<double>(), Texts: new Dictionary<string, (FieldValue Value, int Count)>()))
            .ToList();
        foreach (var labels in training)
        {
            foreach (var (field, numbers, texts) in fields)
            {
                if (labels.ValueOf(field.Name) is not { } value) continue;
                if (value.Number is { } number) numbers.Add(number);
                else
                {
                    // Lists with the same items in another order are the same.
                    var key = string.Join('\n', (value.Items ?? [value.Text!]).Order(StringComparer.Ordinal));
                    texts[key] = texts.TryGetValue(key, out var known) ? (known.Value, known.Count + 1) : (value, 1);
                }
            }
        }
        return fields.Where(field => field.Numbers.Count + field.Texts.Count > 0)
            .ToDictionary(field => field.Field.Name, field => Of(field.Field.Kind, field.Numbers, field.Texts));
    }

    /// <summary>Computes the median; null for no values.</summary>
    public static double? Median(IReadOnlyCollection<double> values)
    {
        if (values.Count == 0) return null;
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static NaiveBaseline Of(
        FieldKind kind, IReadOnlyCollection<double> numbers, IReadOnlyDictionary<string, (FieldValue Value, int Count)> texts)
    {
        if (kind == FieldKind.Number) return new NaiveBaseline(new FieldValue(Median(numbers)!.Value));
        var ordered = texts.OrderByDescending(text => text.Value.Count).ThenBy(text => text.Key, StringComparer.Ordinal).ToList();
        return new NaiveBaseline(ordered[0].Value.Value)
        {
            Categories = kind == FieldKind.Category ? [.. ordered.Select(text => text.Key)] : [],
        };
    }
}

/// <summary>Errors of answered numbers.</summary>
internal static class NumberErrors
{
    // Tolerance for binary fractions: 0.33 must count as 10 % off 0.3.
    private const double Rounding = 1 + 1e-9;

    /// <summary>
    /// Computes the figures of at least one sample. An answer without a number counts as 0, so that leaving the number out does not improve
    /// them.
    /// </summary>
    public static FieldFigures Figures(IReadOnlyList<(FieldValue Truth, FieldValue? Answered)> samples)
    {
        var errors = samples.Select(s => (Truth: s.Truth.Number!.Value, Error: Math.Abs((s.Answered?.Number ?? 0) - s.Truth.Number.Value)))
            .ToList();
        return new FieldFigures
        {
            MedianError = NaiveBaseline.Median([.. errors.Select(e => e.Error)]),
            MeanError = errors.Average(e => e.Error),
            // 100 · |answered - true| / true.
            MedianPercentError = NaiveBaseline.Median([.. errors.Where(e => e.Truth > 0).Select(e => 100 * e.Error / e.Truth)]),
            WithinTenPercent = (double)errors.Count(e => e.Error <= 0.1 * e.Truth * Rounding) / errors.Count,
        };
    }
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

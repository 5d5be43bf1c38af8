using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

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
        EvaluationMetrics loss, IReadOnlyList<(SampleLabels Truth, string Text)> answers, AnswerTemplate template, Baselines baselines)
    {
        var parsed = answers.Select(a => (a.Truth, Answer: template.Read(a.Text))).ToList();
        var categories = parsed.Where(p => p.Truth.Category is not null).ToList();
        var titles = parsed.Where(p => p.Truth.Title is not null).ToList();
        var prices = parsed.Where(p => p.Truth.Price is not null).ToList();
        // An answer without a price counts as a price of 0, so that leaving the price out does not improve the figure.
        var answered = new PriceErrors([.. prices.Select(p => (p.Truth.Price!.Value, p.Answer?.Price ?? 0))]);
        var guessed = new PriceErrors(baselines.Price is { } price ? [.. prices.Select(p => (p.Truth.Price!.Value, price))] : []);
        return loss with
        {
            Generated = answers.Count,
            ParsedShare = Share(parsed, p => p.Answer is not null),
            CategoryAccuracy = Share(categories, p => p.Answer?.Category == p.Truth.Category),
            MajorityCategoryAccuracy = Share(categories, p => baselines.Category == p.Truth.Category),
            Confusion = Confusion([.. categories.Select(p => (p.Truth.Category!, p.Answer?.Category))], baselines),
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

    private static List<ConfusionRow>? Confusion(IReadOnlyList<(string Truth, string? Answered)> samples, Baselines baselines)
    {
        if (samples.Count == 0) return null;
        // Unknown categories count as none: an untrained model's invented ones would give the table one column per sample.
        var known = samples.Select(s => s.Truth).Concat(baselines.Categories).ToHashSet(StringComparer.Ordinal);
        return [.. samples.GroupBy(s => s.Truth, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(row => new ConfusionRow(row.Key, row
                .CountBy(s => s.Answered is { } answered && known.Contains(answered) ? answered : "", StringComparer.Ordinal)
                .OrderBy(count => count.Key, StringComparer.Ordinal).ToDictionary()))];
    }

    private static double? Share<T>(IReadOnlyCollection<T> items, Func<T, bool> holds) =>
        items.Count == 0 ? null : (double)items.Count(holds) / items.Count;
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Compares generated answers with the truth. A figure about a part of the answer counts the samples whose truth has the part, and is left
/// out when there is none.
/// </summary>
public static class AnswerMetrics
{
    /// <summary>Adds the figures about answers to a measured loss.</summary>
    /// <param name="answers">The truth and the generated text of each sample.</param>
    public static EvaluationMetrics Measure(
        EvaluationMetrics loss, IReadOnlyList<(SampleLabels Truth, string Text)> answers, Baselines baselines)
    {
        var parsed = answers.Select(a => (a.Truth, Answer: Answer.Parse(a.Text))).ToList();
        var categories = parsed.Where(p => p.Truth.Category is not null).ToList();
        var titles = parsed.Where(p => p.Truth.Title is not null).ToList();
        var prices = parsed.Where(p => p.Truth.Price is not null).ToList();
        return loss with
        {
            Generated = answers.Count,
            ParsedShare = Share(parsed, p => p.Answer is not null),
            CategoryAccuracy = Share(categories, p => p.Answer?.Category == p.Truth.Category),
            MajorityCategoryAccuracy = Share(categories, p => baselines.Category == p.Truth.Category),
            TitleExactMatch = Share(titles, p => p.Answer?.Title == p.Truth.Title),
            MedianPriceError = Error(p => p.Answer?.Price ?? 0),
            BaselineMedianPriceError = baselines.Price is { } price ? Error(_ => price) : null,
        };

        double? Error(Func<(SampleLabels Truth, Answer? Answer), double> answered) =>
            Baselines.Median([.. prices.Select(p => Math.Abs(answered(p) - p.Truth.Price!.Value))]);
    }

    private static double? Share<T>(IReadOnlyCollection<T> items, Func<T, bool> holds) =>
        items.Count == 0 ? null : (double)items.Count(holds) / items.Count;
}

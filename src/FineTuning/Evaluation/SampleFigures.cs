using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>A figure about each sample of an evaluation, for histograms.</summary>
/// <param name="Name">Name as in <see cref="Tracking.MetricScalars"/>.</param>
/// <param name="Values">Values of the samples that have one.</param>
/// <param name="Limits">Upper ends of the histogram's buckets, the same for every evaluation, so that steps can be compared.</param>
internal sealed record SampleFigure(string Name, IReadOnlyList<double> Values, IReadOnlyList<double> Limits)
{
    private static readonly double[] Shares = [.. Enumerable.Range(1, 20).Select(i => i / 20.0)];
    private static readonly double[] Percents = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, double.MaxValue];

    /// <summary>Lists the figures of an evaluation, which compare answers with the truth as <see cref="AnswerMetrics"/> does.</summary>
    public static IReadOnlyList<SampleFigure> Of(IReadOnlyList<EvaluatedAnswer> answers) =>
    [
        new("confidence", [.. answers.Select(answer => answer.Confidence.Answer)], Shares),
        new("price_percent_error", [.. answers.Where(answer => answer.Truth.Price > 0)
            .Select(answer => 100 * Math.Abs((answer.Price ?? 0) - answer.Truth.Price!.Value) / answer.Truth.Price.Value)], Percents),
        new("title_f1", [.. answers.Where(answer => answer.Truth.Title is not null)
            .Select(answer => WordOverlap.F1(answer.Title ?? "", answer.Truth.Title!))], Shares),
    ];
}

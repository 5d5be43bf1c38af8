using System.Text.RegularExpressions;

namespace FunctionsPipeline.FineTuning;

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

using System.Text.RegularExpressions;

namespace FunctionsPipeline.FineTuning;

/// <summary>Compares texts by their words, as SQuAD does (https://arxiv.org/abs/1606.05250), but with articles: some names have one.</summary>
internal static partial class WordOverlap
{
    /// <summary>
    /// The harmonic mean of the share of the answer's words that the truth has and of the truth's words that the answer has. Words are runs
    /// of letters and digits in lower case, and count as often as they occur. 1 when neither text has a word.
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

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Filters the scores of all tokens before a draw, as the transformers library does (its RepetitionPenaltyLogitsProcessor, TopKLogitsWarper
/// and TopPLogitsWarper). A score of minus infinity is never drawn.
/// </summary>
internal static class ScoreFilters
{
    /// <summary>Divides positive scores of the given tokens by the penalty and multiplies negative ones by it.</summary>
    public static void Penalize(Span<float> scores, IEnumerable<int> tokens, double penalty)
    {
        var factor = (float)penalty;
        foreach (var token in tokens) scores[token] = scores[token] < 0 ? scores[token] * factor : scores[token] / factor;
    }

    /// <summary>Keeps the <paramref name="k"/> highest scores and those equal to the lowest of these.</summary>
    public static void KeepTopK(Span<float> scores, int k)
    {
        if (k >= scores.Length) return;
        var highest = new PriorityQueue<float, float>(k);
        foreach (var score in scores)
        {
            if (highest.Count < k) highest.Enqueue(score, score);
            else if (score > highest.Peek()) highest.EnqueueDequeue(score, score);
        }
        var lowest = highest.Peek();
        for (var i = 0; i < scores.Length; i++)
            if (scores[i] < lowest) scores[i] = float.NegativeInfinity;
    }

    /// <summary>
    /// Drops the least likely tokens while the probabilities of the dropped ones add up to at most 1 - <paramref name="p"/>; always keeps
    /// the most likely token.
    /// </summary>
    public static void KeepTopP(Span<float> scores, double p)
    {
        if (p >= 1) return;
        var weights = Weights(scores, out var total);
        var dropped = (1 - p) * total;
        // Tokens with at most dropped / n of the weight need no sorting: n of them add up to at most the weight that may be dropped.
        var floor = dropped / scores.Length;
        var sum = 0.0;
        var candidates = new List<int>();
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] > floor)
            {
                candidates.Add(i);
                continue;
            }
            sum += weights[i];
            scores[i] = float.NegativeInfinity;
        }
        candidates.Sort((a, b) => weights[a] != weights[b] ? weights[a].CompareTo(weights[b]) : a.CompareTo(b));
        foreach (var i in candidates.SkipLast(1))
        {
            sum += weights[i];
            if (sum > dropped) break;
            scores[i] = float.NegativeInfinity;
        }
    }

    /// <summary>Computes exp(score - highest score) of every token: probabilities once divided by their sum.</summary>
    public static double[] Weights(ReadOnlySpan<float> scores, out double total)
    {
        var highest = float.NegativeInfinity;
        foreach (var score in scores) highest = Math.Max(highest, score);
        var weights = new double[scores.Length];
        total = 0;
        for (var i = 0; i < scores.Length; i++) total += weights[i] = Math.Exp(scores[i] - highest);
        return weights;
    }
}

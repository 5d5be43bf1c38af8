namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Changes the scores of all tokens before one is drawn, as the transformers library does (its RepetitionPenaltyLogitsProcessor,
/// TopKLogitsWarper and TopPLogitsWarper). A score of minus infinity is never drawn.
/// </summary>
internal static class ScoreFilters
{
    /// <summary>Divides positive scores of tokens by the penalty and multiplies negative ones.</summary>
    public static void Penalize(Span<float> scores, IEnumerable<int> tokens, double penalty)
    {
        var factor = (float)penalty;
        foreach (var token in tokens) scores[token] = scores[token] < 0 ? scores[token] * factor : scores[token] / factor;
    }

    /// <summary>Keeps the <paramref name="k"/> highest scores, and those equal to the lowest of them.</summary>
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
    /// Drops the least likely tokens as long as the probabilities of what is dropped add up to no more than 1 - <paramref name="p"/>; the
    /// most likely one always stays.
    /// </summary>
    public static void KeepTopP(Span<float> scores, double p)
    {
        if (p >= 1) return;
        var weights = Weights(scores, out var total);
        var dropped = (1 - p) * total;
        // All tokens below the mean of what may be dropped can go without being sorted: together they are within it.
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

    /// <summary>exp(score - highest score) of every token; they are probabilities once divided by their sum.</summary>
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

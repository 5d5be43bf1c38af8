namespace FunctionsPipeline.Phi3Vision;

/// <summary>Chooses the tokens of one row, independently of the other rows of the batch.</summary>
internal sealed class RowSampler
{
    private readonly GenerationSettings _settings;
    private readonly HashSet<int> _seen;
    private readonly Random _random;

    /// <param name="prompt">Ids that count as seen for the repetition penalty; negative ids are images and are left out.</param>
    public RowSampler(GenerationSettings settings, IEnumerable<long> prompt)
    {
        _settings = settings;
        _seen = [.. prompt.Where(id => id >= 0).Select(id => (int)id)];
        _random = new Random(settings.Seed);
    }

    /// <param name="scores">Logits of all tokens; overwritten.</param>
    public (int Id, double LogProbability) Choose(Span<float> scores)
    {
        var highest = float.NegativeInfinity;
        foreach (var score in scores) highest = Math.Max(highest, score);
        ScoreFilters.Weights(scores, out var total);
        // log p(id) = logit - log Σ exp(logits), taken before penalty and temperature; the highest logit is factored out against overflow.
        var normalizer = highest + Math.Log(total);

        var logits = scores.ToArray();
        if (_settings.RepetitionPenalty != 1) ScoreFilters.Penalize(scores, _seen, _settings.RepetitionPenalty);
        var id = _settings.Temperature == 0 ? Highest(scores) : Draw(scores);
        _seen.Add(id);
        return (id, logits[id] - normalizer);
    }

    private int Draw(Span<float> scores)
    {
        for (var i = 0; i < scores.Length; i++) scores[i] = (float)(scores[i] / _settings.Temperature);
        if (_settings.TopK > 0) ScoreFilters.KeepTopK(scores, _settings.TopK);
        ScoreFilters.KeepTopP(scores, _settings.TopP);
        var weights = ScoreFilters.Weights(scores, out var total);
        // Inverse transform sampling: the token in whose interval of the cumulative weights a uniform number falls.
        var left = _random.NextDouble() * total;
        // The last possible token stands in when rounding leaves a rest after the sum of all weights.
        var last = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0) continue;
            last = i;
            left -= weights[i];
            if (left < 0) break;
        }
        return last;
    }

    private static int Highest(ReadOnlySpan<float> scores)
    {
        var highest = 0;
        for (var i = 1; i < scores.Length; i++)
            if (scores[i] > scores[highest]) highest = i;
        return highest;
    }
}

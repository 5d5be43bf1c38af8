namespace FunctionsPipeline.Phi3Vision;

/// <summary>Chooses the tokens of one row, whatever the other rows are.</summary>
internal sealed class RowSampler
{
    private readonly GenerationSettings _settings;
    private readonly HashSet<int> _seen;
    private readonly Random _random;

    /// <param name="prompt">Ids that count as seen; negative ones are images and do not.</param>
    public RowSampler(GenerationSettings settings, IEnumerable<long> prompt)
    {
        _settings = settings;
        _seen = [.. prompt.Where(id => id >= 0).Select(id => (int)id)];
        _random = new Random(settings.Seed);
    }

    /// <param name="scores">The logits of all tokens; they are changed.</param>
    public (int Id, double LogProbability) Choose(Span<float> scores)
    {
        var highest = float.NegativeInfinity;
        foreach (var score in scores) highest = Math.Max(highest, score);
        ScoreFilters.Weights(scores, out var total);
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
        var left = _random.NextDouble() * total;
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

using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>Chooses the next token of every row.</summary>
/// <param name="answers">The rows' answers where they are constrained; none otherwise.</param>
internal abstract class TokenChoice(IReadOnlyList<IConstrainedAnswer> answers)
{
    /// <param name="logits">F32 [B, V].</param>
    /// <returns>A token for each row, with the logarithm of its probability under the logits.</returns>
    public (int Id, double LogProbability)[] Choose(Tensor logits)
    {
        if (answers.Count == 0) return Choose(logits, null);
        // Written in the tensor's own memory: an array of this size would be copied at every step.
        using var forbidden = empty(logits.shape, dtype: ScalarType.Bool);
        var entries = Entries(forbidden);
        entries.Fill(true);
        var width = entries.Length / answers.Count;
        for (var row = 0; row < answers.Count; row++) answers[row].Allow(entries.Slice(row * width, width));
        var chosen = Choose(logits, forbidden);
        for (var row = 0; row < answers.Count; row++) answers[row].Add(chosen[row].Id);
        return chosen;
    }

    /// <summary>Creates the choice that the settings select.</summary>
    /// <param name="session">Session whose prompts count for the repetition penalty.</param>
    public static TokenChoice Create(GenerationSettings settings, DecodingSession session)
    {
        var rows = Enumerable.Range(0, session.Rows);
        IReadOnlyList<IConstrainedAnswer> answers =
            settings.Constraint is { } constraint ? [.. rows.Select(_ => constraint.Begin(settings.MaxTokens))] : [];
        return settings is { Temperature: 0, RepetitionPenalty: 1 }
            ? new MostLikely(answers)
            : new RowByRow(answers, [.. rows.Select(row => new RowSampler(settings, session.PromptIds(row)))]);
    }

    /// <param name="logits">F32 [B, V].</param>
    /// <param name="forbidden">True for each token that must not be chosen, bool [B, V] on the CPU; null to choose from all.</param>
    protected abstract (int Id, double LogProbability)[] Choose(Tensor logits, Tensor? forbidden);

    private static Span<bool> Entries(Tensor forbidden) => MemoryMarshal.Cast<byte, bool>(forbidden.bytes);

    /// <summary>Greedy choice without penalty, on the logits' device: log p = logit - logsumexp(logits).</summary>
    private sealed class MostLikely(IReadOnlyList<IConstrainedAnswer> answers) : TokenChoice(answers)
    {
        protected override (int Id, double LogProbability)[] Choose(Tensor logits, Tensor? forbidden)
        {
            using var scope = NewDisposeScope();
            var candidates = forbidden is null ? logits : logits.Masked(forbidden.to(logits.device), double.NegativeInfinity);
            var ids = candidates.argmax(-1, keepdim: true);
            var logProbabilities = (logits.gather(1, ids) - logits.logsumexp(-1, keepdim: true)).cpu().data<float>().ToArray();
            return [.. ids.cpu().data<long>().ToArray().Zip(logProbabilities, (id, value) => ((int)id, (double)value))];
        }
    }

    private sealed class RowByRow(IReadOnlyList<IConstrainedAnswer> answers, RowSampler[] rows) : TokenChoice(answers)
    {
        protected override (int Id, double LogProbability)[] Choose(Tensor logits, Tensor? forbidden)
        {
            using var scope = NewDisposeScope();
            var values = logits.cpu().contiguous().data<float>().ToArray();
            var width = values.Length / rows.Length;
            return
            [
                .. rows.Select((row, i) => row.Choose(
                    values.AsSpan(i * width, width), forbidden is null ? [] : Entries(forbidden).Slice(i * width, width))),
            ];
        }
    }
}

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
    /// <param name="forbidden">True for each token that must not be chosen; empty to choose from all.</param>
    public (int Id, double LogProbability) Choose(Span<float> scores, ReadOnlySpan<bool> forbidden = default)
    {
        var highest = float.NegativeInfinity;
        foreach (var score in scores) highest = Math.Max(highest, score);
        ScoreFilters.Weights(scores, out var total);
        // log p(id) = logit - log Σ exp(logits), taken before penalty and temperature; the highest logit is factored out against overflow.
        var normalizer = highest + Math.Log(total);

        var logits = scores.ToArray();
        for (var i = 0; i < forbidden.Length; i++)
            if (forbidden[i]) scores[i] = float.NegativeInfinity;
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

/// <summary>
/// Filters the scores of all tokens before a draw, as the transformers library does (its RepetitionPenaltyLogitsProcessor, TopKLogitsWarper
/// and TopPLogitsWarper). A score of minus infinity is never drawn.
/// </summary>
internal static class ScoreFilters
{
    /// <summary>Divides positive scores of the given tokens by the penalty and multiplies negative ones by it.</summary>
    public static void Penalize(Span<float> scores, IEnumerable<int> tokens, double penalty)
    {
        // CTRL's penalty (https://arxiv.org/abs/1909.05858); the case by sign, from the transformers library, lowers negative scores too.
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
        // Nucleus sampling (https://arxiv.org/abs/1904.09751).
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

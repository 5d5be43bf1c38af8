using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Greedy generation: the most likely token at every step, with a key-value cache.</summary>
public sealed class Generator(Phi3VisionModel model)
{
    /// <summary>Continues one prompt.</summary>
    /// <param name="prompt">One row.</param>
    /// <param name="maxTokens">Tokens at most.</param>
    /// <param name="stopTokens">Tokens that end the answer; they are not part of the result.</param>
    /// <returns>The new tokens.</returns>
    /// <exception cref="ArgumentException">The prompt does not fit the model, or has more than one row.</exception>
    public IReadOnlyList<int> Greedy(ModelInput prompt, int maxTokens, IReadOnlySet<int> stopTokens, CancellationToken cancellationToken)
    {
        if (prompt.InputIds.shape is not [1, _]) throw new ArgumentException("Greedy continues one row; use GreedyBatch for more.", nameof(prompt));
        return GreedyBatch(prompt, maxTokens, stopTokens, cancellationToken)[0];
    }

    /// <summary>Continues several prompts at once.</summary>
    /// <param name="prompts">Rows of equal length, shorter prompts padded on the left; positions are counted from each row's first real token.</param>
    /// <param name="maxTokens">Tokens of a row at most.</param>
    /// <param name="stopTokens">Tokens that end a row; they are not part of the result.</param>
    /// <returns>The new tokens of each row.</returns>
    /// <exception cref="ArgumentException">The prompts do not fit the model, or are padded on the right.</exception>
    public IReadOnlyList<IReadOnlyList<int>> GreedyBatch(ModelInput prompts, int maxTokens, IReadOnlySet<int> stopTokens, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        if (prompts.InputIds.shape is not [> 0, > 0]) throw new ArgumentException("InputIds must be I64 [B, L].", nameof(prompts));
        using var noGradients = torch.no_grad();
        using var scope = NewDisposeScope();
        var (rows, length) = ((int)prompts.InputIds.shape[0], (int)prompts.InputIds.shape[1]);
        var padding = Padding.Of(prompts.AttentionMask, rows, length);
        using var cache = new KeyValueCache(model, rows, length + maxTokens);
        var answers = Enumerable.Range(0, rows).Select(_ => new List<int>()).ToArray();
        var done = new bool[rows];
        var input = prompts with { PositionIds = padding?.Positions(0, length) };
        for (var step = 0; ; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var stepScope = NewDisposeScope();
            var next = NextTokens(input, cache);
            for (var row = 0; row < rows; row++)
            {
                if (done[row]) continue;
                if (stopTokens.Contains((int)next[row])) done[row] = true;
                else answers[row].Add((int)next[row]);
            }
            if (step == maxTokens - 1 || done.All(d => d)) return answers;
            input = new ModelInput(
                torch.tensor(next, [rows, 1]).MoveToOuterDisposeScope(),
                padding?.Mask(length + step + 1).MoveToOuterDisposeScope(),
                PositionIds: padding?.Positions(length + step, 1).MoveToOuterDisposeScope());
        }
    }

    private long[] NextTokens(ModelInput input, KeyValueCache cache)
    {
        var hidden = model.Hidden(input, cache);
        var last = model.Logits(hidden.narrow(1, hidden.shape[1] - 1, 1));
        return last.argmax(-1).view(-1).cpu().data<long>().ToArray();
    }

    /// <summary>How many positions at the left of each row are padding.</summary>
    private sealed class Padding(int[] counts)
    {
        public static Padding? Of(Tensor? mask, int rows, int length)
        {
            if (mask is null) return null;
            if (!(mask.shape is [var r, var l] && r == rows && l == length)) throw new ArgumentException($"AttentionMask must be I64 [{rows}, {length}].");
            var values = CheckedInput.Values(mask).Chunk(length).ToArray();
            var counts = values.Select(row => row.TakeWhile(value => value == 0).Count()).ToArray();
            if (values.Any(row => row.SkipWhile(value => value == 0).Any(value => value == 0) || row[^1] == 0))
                throw new ArgumentException("Prompts must be padded on the left, and only there.");
            return counts.All(count => count == 0) ? null : new Padding(counts);
        }

        /// <summary>I64 [B, length] from position <paramref name="start"/> on; padded positions are 1, as in the published code.</summary>
        public Tensor Positions(int start, int length) =>
            torch.tensor(counts.SelectMany(count => Enumerable.Range(start, length).Select(i => i < count ? 1L : i - count)).ToArray(), [counts.Length, length]);

        /// <summary>I64 [B, length].</summary>
        public Tensor Mask(int length) =>
            torch.tensor(counts.SelectMany(count => Enumerable.Range(0, length).Select(i => i < count ? 0L : 1L)).ToArray(), [counts.Length, length]);
    }
}

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
        using var scope = NewDisposeScope();
        using var session = new DecodingSession(model, prompts, maxTokens);
        var answers = Enumerable.Range(0, session.Rows).Select(_ => new List<int>()).ToArray();
        var done = new bool[session.Rows];
        var next = MostLikely(session.Start());
        for (var step = 1; ; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var row = 0; row < done.Length; row++)
            {
                if (done[row]) continue;
                if (stopTokens.Contains((int)next[row])) done[row] = true;
                else answers[row].Add((int)next[row]);
            }
            if (step == maxTokens || done.All(d => d)) return answers;
            using var stepScope = NewDisposeScope();
            next = MostLikely(session.Next(next));
        }
    }

    private static long[] MostLikely(Tensor logits) => logits.argmax(-1).cpu().data<long>().ToArray();
}

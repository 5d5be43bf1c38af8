using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Greedy continuations of prompts without stop tokens, with the logits of every step.</summary>
/// <param name="Tokens">Generated tokens, I64 [B, steps].</param>
/// <param name="Logits">Logits that each token was chosen from, F32 [B, steps, V].</param>
internal sealed record GreedySteps(Tensor Tokens, Tensor Logits)
{
    /// <summary>Generates with a key-value cache, as <c>predict</c> and <c>serve</c> do.</summary>
    public static GreedySteps Cached(Phi3VisionModel model, ModelInput prompts, int steps)
    {
        using var scope = NewDisposeScope();
        using var session = new DecodingSession(model, prompts, steps);
        var logits = new List<Tensor> { session.Start() };
        while (logits.Count < steps) logits.Add(session.Next(TensorDifference.Integers(logits[^1].argmax(-1))));
        return Stacked(logits, scope);
    }

    /// <summary>
    /// Generates without a cache: recomputes the complete sequence at every step, with positions counted from each row's first real token.
    /// </summary>
    /// <param name="along">Tokens to append instead of the most likely ones, I64 [B, steps].</param>
    public static GreedySteps Recomputed(Phi3VisionModel model, ModelInput prompts, int steps, Tensor? along = null)
    {
        using var scope = NewDisposeScope();
        var input = prompts with { AttentionMask = prompts.AttentionMask ?? torch.ones_like(prompts.InputIds) };
        var logits = new List<Tensor>();
        for (var step = 0; step < steps; step++)
        {
            // The prefill of a one-token session computes the complete sequence, which is the same as no cache.
            using (var session = new DecodingSession(model, input, maxTokens: 1)) logits.Add(session.Start());
            var next = (along is null ? logits[^1].argmax(-1) : along.select(1, step)).cpu().unsqueeze(1);
            input = input with
            {
                InputIds = torch.cat([input.InputIds, next], dim: 1),
                AttentionMask = torch.cat([input.AttentionMask!, torch.ones_like(next)], dim: 1),
            };
        }
        return Stacked(logits, scope);
    }

    private static GreedySteps Stacked(List<Tensor> logits, DisposeScope scope)
    {
        var all = torch.stack(logits, 1);
        return new GreedySteps(scope.MoveToOuter(all.argmax(-1)), scope.MoveToOuter(all));
    }
}

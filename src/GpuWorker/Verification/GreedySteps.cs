using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Greedy continuations without stop tokens, with the logits of every step.</summary>
/// <param name="Tokens">I64 [B, steps].</param>
/// <param name="Logits">F32 [B, steps, V]: what each token was chosen by.</param>
internal sealed record GreedySteps(Tensor Tokens, Tensor Logits)
{
    /// <summary>With a key-value cache, as generation does it.</summary>
    public static GreedySteps Cached(Phi3VisionModel model, ModelInput prompts, int steps)
    {
        using var scope = NewDisposeScope();
        using var session = new DecodingSession(model, prompts, steps);
        var logits = new List<Tensor> { session.Start() };
        while (logits.Count < steps) logits.Add(session.Next(TensorDifference.Integers(logits[^1].argmax(-1))));
        return Stacked(logits, scope);
    }

    /// <summary>Without: everything is computed again at every step, with positions counted from each row's first real token.</summary>
    /// <param name="along">I64 [B, steps]: tokens to append in place of the most likely ones.</param>
    public static GreedySteps Recomputed(Phi3VisionModel model, ModelInput prompts, int steps, Tensor? along = null)
    {
        using var scope = NewDisposeScope();
        var input = prompts with { AttentionMask = prompts.AttentionMask ?? torch.ones_like(prompts.InputIds) };
        var logits = new List<Tensor>();
        for (var step = 0; step < steps; step++)
        {
            // The prefill of a session of one token is the whole sequence without a cache.
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

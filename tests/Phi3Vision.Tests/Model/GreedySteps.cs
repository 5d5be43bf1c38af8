using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>Tokens [B, steps] and the logits that each was chosen by [B, steps, V].</summary>
internal static class GreedySteps
{
    public static (Tensor Tokens, Tensor Logits) Cached(Phi3VisionModel model, ModelInput prompts, int steps)
    {
        using var session = new DecodingSession(model, prompts, steps);
        var logits = new List<Tensor> { session.Start() };
        while (logits.Count < steps) logits.Add(session.Next(logits[^1].argmax(-1).data<long>().ToArray()));
        var all = torch.stack(logits, 1);
        return (all.argmax(-1), all);
    }

    /// <summary>The complete sequence is computed again at every step, without a cache.</summary>
    /// <param name="along">[B, steps]: the tokens that are appended in place of the most likely ones.</param>
    public static (Tensor Tokens, Tensor Logits) Recomputed(Phi3VisionModel model, ModelInput prompts, int steps, Tensor? along = null)
    {
        using var noGradients = torch.no_grad();
        var mask = prompts.AttentionMask ?? torch.ones_like(prompts.InputIds);
        var input = prompts with { AttentionMask = mask };
        var logits = new List<Tensor>();
        for (var step = 0; step < steps; step++)
        {
            mask = input.AttentionMask!;
            var counted = (mask.cumsum(1) - 1).masked_fill(mask.logical_not(), 1);
            var all = model.forward(input with { PositionIds = counted });
            logits.Add(all.select(1, all.shape[1] - 1));
            var next = (along?.select(1, step) ?? logits[^1].argmax(-1)).unsqueeze(1);
            input = input with
            {
                InputIds = torch.cat([input.InputIds, next], dim: 1),
                AttentionMask = torch.cat([mask, torch.ones_like(next)], dim: 1),
            };
        }
        return (torch.stack(logits, 1).argmax(-1), torch.stack(logits, 1));
    }
}

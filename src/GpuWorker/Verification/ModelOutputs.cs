using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Computes the outputs that a recording of a model holds. Recorder and verifier share this code, so that a recording is reproduced bit by
/// bit on the machine that made it.
/// </summary>
internal static class ModelOutputs
{
    /// <summary>Computes the outputs of forward and generation, one after another.</summary>
    /// <param name="wants">True for the names of outputs to compute. Gradients are left to <see cref="LossAndGradients"/>.</param>
    /// <param name="steps">Number of tokens to generate.</param>
    /// <returns>Outputs by their names in recordings; a tensor is valid until the next one is requested.</returns>
    public static IEnumerable<(string Name, Tensor Value)> Compute(
        Phi3VisionModel model, ModelCaseInputs inputs, Func<string, bool> wants, int steps)
    {
        var groups = new List<IEnumerable<(string, Tensor)>>();
        if (inputs.Batch is { } batch) groups.AddRange([Forward(model, batch, wants), ViewFeatures(model, batch, wants)]);
        if (inputs.Prompts is { } prompts) groups.Add(Greedy(model, prompts, wants, steps));
        if (inputs.Crossing is { } crossing) groups.Add(Crossing(model, crossing, wants, steps));
        return groups.SelectMany(outputs => outputs).Where(output => wants(output.Item1));
    }

    private static IEnumerable<(string, Tensor)> Forward(Phi3VisionModel model, ModelInput batch, Func<string, bool> wants)
    {
        var layers = Enumerable.Range(0, model.Config.NumHiddenLayers).Select(layer => $"hidden_layer_{layer}").ToList();
        string[] names = ["rope_cos", "rope_sin", "image_embeds", "hidden_after_embed", "final_hidden", "logits", .. layers];
        if (!names.Any(wants)) yield break;
        using var scope = NewDisposeScope();
        using var trace = new ForwardTrace();
        Tensor logits;
        using (torch.no_grad()) logits = model.forward(batch, trace: trace);
        yield return ("rope_cos", trace.RopeCos!);
        yield return ("rope_sin", trace.RopeSin!);
        if (trace.ImageEmbeds is not null) yield return ("image_embeds", trace.ImageEmbeds);
        yield return ("hidden_after_embed", trace.HiddenAfterEmbed!);
        foreach (var (name, hidden) in layers.Zip(trace.HiddenLayers)) yield return (name, hidden);
        yield return ("final_hidden", trace.FinalHidden!);
        yield return ("logits", logits);
    }

    private static IEnumerable<(string, Tensor)> ViewFeatures(Phi3VisionModel model, ModelInput batch, Func<string, bool> wants)
    {
        if (batch.PixelValues is null || !wants("clip_features")) yield break;
        using var scope = NewDisposeScope();
        Tensor features;
        using (torch.no_grad()) features = model.ViewFeatures(batch.PixelValues.flatten(0, 1));
        yield return ("clip_features", features.view([.. batch.PixelValues.shape[..2], .. features.shape[1..]]));
    }

    private static IEnumerable<(string, Tensor)> Greedy(Phi3VisionModel model, ModelInput prompts, Func<string, bool> wants, int steps)
    {
        using var scope = NewDisposeScope();
        if (wants("greedy_tokens") || wants("greedy_logits"))
        {
            var cached = GreedySteps.Cached(model, prompts, steps);
            yield return ("greedy_tokens", cached.Tokens);
            yield return ("greedy_logits", cached.Logits);
        }
        if (wants("greedy_tokens_nocache")) yield return ("greedy_tokens_nocache", GreedySteps.Recomputed(model, prompts, steps).Tokens);
    }

    /// <summary>
    /// Generates past the original positions, with and without a cache. Cached keys keep the rotation of their time, so that from there on
    /// the two runs diverge; the logits without a cache are therefore computed along the cached run's tokens.
    /// </summary>
    private static IEnumerable<(string, Tensor)> Crossing(Phi3VisionModel model, ModelInput prompt, Func<string, bool> wants, int steps)
    {
        using var scope = NewDisposeScope();
        var cached = GreedySteps.Cached(model, prompt, steps);
        yield return ("cross.greedy_tokens_cache", cached.Tokens);
        yield return ("cross.logits_cache", cached.Logits);
        if (wants("cross.greedy_tokens_nocache"))
            yield return ("cross.greedy_tokens_nocache", GreedySteps.Recomputed(model, prompt, steps).Tokens);
        if (wants("cross.logits_nocache"))
            yield return ("cross.logits_nocache", GreedySteps.Recomputed(model, prompt, steps, along: cached.Tokens).Logits);
    }
}

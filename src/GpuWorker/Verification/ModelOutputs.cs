using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using TorchSharp.Modules;
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
        // Back from [B K, …] to the recording's [B, K, …], with K views of each image, the global one first.
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

/// <summary>Computes a batch's loss and the parameters' gradients, which are cleared on disposal.</summary>
internal sealed class LossAndGradients : IDisposable
{
    private readonly Phi3VisionModel _model;

    private LossAndGradients(Phi3VisionModel model, ModelCaseInputs inputs, bool backward)
    {
        _model = model;
        using var gradients = torch.set_grad_enabled(backward);
        Loss = Mean(model, inputs);
        if (backward) Loss.backward();
    }

    /// <summary>Loss F32 [], in nats.</summary>
    public Tensor Loss { get; }

    /// <param name="backward">True to compute gradients as well.</param>
    /// <exception cref="InvalidDataException">The case has no labels.</exception>
    public static LossAndGradients Compute(Phi3VisionModel model, ModelCaseInputs inputs, bool backward) => new(model, inputs, backward);

    /// <summary>Returns the mean cross-entropy over all labels of the batch, in nats; the logits at t predict the label at t + 1.</summary>
    public static Tensor Mean(Phi3VisionModel model, ModelCaseInputs inputs)
    {
        if (inputs is not { Batch: { } batch, Labels: { } labels })
            throw new InvalidDataException("A loss is recorded, but input_ids or labels are missing.");
        using var scope = NewDisposeScope();
        var logits = model.forward(batch);
        var (length, vocabulary) = (logits.shape[1], logits.shape[2]);
        return nn.functional.cross_entropy(
            logits.narrow(1, 0, length - 1).reshape(-1, vocabulary),
            labels.to(logits.device).narrow(1, 1, length - 1).reshape(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Returns a parameter's gradient; null when no gradient reached the parameter.</summary>
    /// <exception cref="InvalidDataException">The model has no such parameter.</exception>
    public Tensor? Gradient(string parameter) =>
        Parameters().FirstOrDefault(pair => pair.Name == parameter) is { Parameter: { } found }
            ? found.grad
            : throw new InvalidDataException($"A gradient of '{parameter}' is recorded, but the model has no such parameter.");

    /// <summary>Lists the parameters that no gradient reached.</summary>
    public IReadOnlyList<string> WithoutGradient()
    {
        using var scope = NewDisposeScope();
        return [.. Parameters().Where(pair => pair.Parameter.grad is null).Select(pair => pair.Name)];
    }

    /// <summary>Returns the L2 norm of every parameter's gradient; null for parameters without one.</summary>
    public IReadOnlyDictionary<string, double?> Norms()
    {
        using var scope = NewDisposeScope();
        return Parameters().ToDictionary(
            pair => pair.Name,
            pair => (double?)pair.Parameter.grad?.to(ScalarType.Float64).norm().item<double>());
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _model.zero_grad();
        Loss.Dispose();
    }

    private IEnumerable<(string Name, Parameter Parameter)> Parameters() => _model.named_parameters();
}

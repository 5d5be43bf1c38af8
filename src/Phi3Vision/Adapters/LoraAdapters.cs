using FunctionsPipeline.Contracts;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Low-rank adapters (LoRA, https://arxiv.org/abs/2106.09685) of a model's linear layers. The model's own weights are not changed; the
/// caller decides by their <c>requires_grad</c> whether they are trained too.
/// </summary>
public sealed class LoraAdapters : IDisposable
{
    private readonly Phi3VisionModel _model;

    private LoraAdapters(Phi3VisionModel model, LoraSettings settings, IReadOnlyList<LoraTarget> targets, int seed)
    {
        (_model, Settings) = (model, settings);
        Scale = settings.Alpha / (settings.RankStabilized ? Math.Sqrt(settings.Rank) : settings.Rank);
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        var modules = model.named_modules().ToDictionary(pair => pair.name, pair => pair.module, StringComparer.Ordinal);
        Layers = [.. targets.Select((target, i) => new LoraAdapter(this, target, (Linear)modules[target.Name], i, random))];
    }

    /// <summary>Settings of the adapters.</summary>
    public LoraSettings Settings { get; }

    /// <summary>Factor of B·A·x: alpha / rank, or alpha / √rank when rank-stabilized.</summary>
    public double Scale { get; }

    /// <summary>The adapters, in the order of the layers in the published checkpoint.</summary>
    public IReadOnlyList<LoraAdapter> Layers { get; }

    /// <summary>
    /// Seed of the dropout masks; equal seeds give equal masks. Set the seed before each micro-batch, not during a forward or backward
    /// pass. Dropout is on while the model is in training mode.
    /// </summary>
    public long DropoutSeed { get; set; }

    /// <summary>
    /// A and B of every layer, named as in PEFT's files without their prefix: <c>model.layers.0.mlp.down_proj.lora_A.weight</c>.
    /// </summary>
    public IEnumerable<(string Name, ModelPart Part, Parameter Parameter)> Parameters => Layers.SelectMany(layer =>
        new[] { ($"{layer.Layer}.lora_A.weight", layer.Part, layer.A), ($"{layer.Layer}.lora_B.weight", layer.Part, layer.B) });

    /// <summary>
    /// Attaches adapters to a model. A is drawn at random and B is zero, so that the model's output does not change before training.
    /// Dispose the adapters before the model.
    /// </summary>
    /// <param name="seed">Seed of A; equal seeds give equal adapters on every device.</param>
    /// <exception cref="ArgumentException">A target matches no layer, or a setting is out of range.</exception>
    public static LoraAdapters Attach(Phi3VisionModel model, LoraSettings settings, int seed)
    {
        if (settings.Rank < 1) throw new ArgumentException($"The LoRA rank must be at least 1, but is {settings.Rank}.", nameof(settings));
        if (settings.Dropout is not (>= 0 and < 1))
            throw new ArgumentException($"The LoRA dropout must be from 0 to below 1, but is {settings.Dropout}.", nameof(settings));
        return new LoraAdapters(model, settings, LoraTargets.Select(model.Config, settings), seed);
    }

    /// <summary>The shortest target names that match exactly these layers, by PEFT's rules.</summary>
    internal IReadOnlyList<string> TargetNames => LoraTargets.Shortest(_model.Config, [.. Layers.Select(layer => layer.Layer)]);

    /// <summary>The model's own parameters.</summary>
    internal IEnumerable<(string Name, Parameter Parameter)> ModelParameters => _model.named_parameters();

    /// <summary>
    /// Merges the adapters into the model's weights, W + scale · B·A rounded once to the weight's type, and detaches them but keeps A and
    /// B.
    /// </summary>
    public void Merge()
    {
        foreach (var layer in Layers)
        {
            layer.Merge();
            layer.Detach();
        }
    }

    /// <summary>Detaches the adapters and frees their tensors.</summary>
    public void Dispose()
    {
        foreach (var layer in Layers) layer.Free();
    }
}

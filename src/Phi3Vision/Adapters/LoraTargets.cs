using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>A linear layer that can have an adapter.</summary>
/// <param name="Name">Name of the layer in the model, such as <c>model.layers.0.mlp.down_proj</c>.</param>
/// <param name="Part">Part of the model that the layer belongs to.</param>
/// <param name="Inputs">Width of the layer's input.</param>
/// <param name="Outputs">Width of the layer's output.</param>
internal sealed record LoraTarget(string Name, ModelPart Part, long Inputs, long Outputs)
{
    /// <summary>True when a PEFT target names this layer: its complete name, or complete components at the name's end.</summary>
    public bool Is(string target) => Name == target || Name.EndsWith("." + target, StringComparison.Ordinal);
}

/// <summary>
/// Selects the linear layers that get adapters, among those of the decoder's layers, the CLIP tower and the image projection. Names match
/// as in PEFT (https://github.com/huggingface/peft), so that <c>fc1</c> includes CLIP's last layer, whose output nothing uses.
/// </summary>
internal static class LoraTargets
{
    /// <summary>Lists every layer that can have an adapter, in the order of the published checkpoint.</summary>
    public static IReadOnlyList<LoraTarget> All(Phi3VisionConfig config) =>
    [
        .. WeightLayout.Of(config)
            .Where(weight => weight is { Role: WeightRole.Matrix, Shape.Count: 2 })
            .Select(weight => new LoraTarget(weight.Name[..^".weight".Length], weight.Part, weight.Shape[1], weight.Shape[0])),
    ];

    /// <summary>Selects the layers that the settings target, in the order of the published checkpoint.</summary>
    /// <exception cref="ArgumentException">A target matches no layer, or there is no target.</exception>
    public static IReadOnlyList<LoraTarget> Select(Phi3VisionConfig config, LoraSettings settings)
    {
        var all = All(config);
        foreach (var target in settings.Targets)
            if (!all.Any(layer => Means(layer, target)))
                throw new ArgumentException(
                    $"The LoRA target '{target}' matches no linear layer. There are {LoraSettings.AllLinear} and {string.Join(", ", Kinds(all))}.",
                    nameof(settings));
        var selected = all.Where(layer =>
            settings.Targets.Any(target => Means(layer, target)) || settings.Projector && layer.Part == ModelPart.Projector).ToList();
        return selected.Count > 0 ? selected : throw new ArgumentException("LoRA has no targets: nothing would be trained.", nameof(settings));
    }

    /// <summary>Finds the shortest targets that match these layers and no other, for a reader that matches names as PEFT does.</summary>
    public static IReadOnlyList<string> Shortest(Phi3VisionConfig config, IReadOnlyCollection<string> layers)
    {
        var others = All(config).Where(layer => !layers.Contains(layer.Name)).ToList();
        return [.. layers.Select(layer => Endings(layer).First(ending => !others.Any(other => other.Is(ending)))).Distinct()];
    }

    private static bool Means(LoraTarget layer, string target) =>
        target == LoraSettings.AllLinear ? layer.Part == ModelPart.DecoderLayers : layer.Is(target);

    private static IEnumerable<string> Kinds(IEnumerable<LoraTarget> layers) =>
        layers.Select(layer => Endings(layer.Name).First()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    /// <summary>
    /// Lists a name's suffixes, shortest first, without those that begin with a layer's number, which say nothing to a reader.
    /// </summary>
    private static IEnumerable<string> Endings(string name)
    {
        var parts = name.Split('.');
        for (var start = parts.Length - 1; start >= 0; start--)
            if (!char.IsAsciiDigit(parts[start][0])) yield return string.Join('.', parts[start..]);
    }
}

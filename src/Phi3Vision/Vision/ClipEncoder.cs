using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// CLIP's encoder. Runs all layers but the last, whose input is the features; every checkpoint has weights for the last one all the same.
/// </summary>
internal sealed class ClipEncoder : nn.Module
{
    private readonly ModuleList<ClipLayer> layers;

    public ClipEncoder(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipEncoder))
    {
        layers = nn.ModuleList(Enumerable.Range(0, config.NumHiddenLayers).Select(_ => new ClipLayer(config, device, dtype)).ToArray());
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    /// <param name="tape">Records the layers that need gradients; none where the tower is frozen.</param>
    public Tensor forward(Tensor input, ActivationTape? tape)
    {
        var hidden = input;
        foreach (var layer in layers.Take(layers.Count - 1))
        {
            var recorded = tape is not null && (hidden.requires_grad || layer.parameters().Any(parameter => parameter.requires_grad));
            var next = recorded ? tape!.Run(layer.call, hidden) : layer.call(hidden);
            if (!ReferenceEquals(hidden, input)) hidden.Dispose();
            hidden = next;
        }
        return hidden;
    }
}

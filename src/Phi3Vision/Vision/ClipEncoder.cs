using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The encoder's layers, all but the last: the features are what would go into the last one. It has weights in every checkpoint all the same.</summary>
internal sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ClipLayer> layers;

    public ClipEncoder(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipEncoder))
    {
        layers = nn.ModuleList(Enumerable.Range(0, config.NumHiddenLayers).Select(_ => new ClipLayer(config, device, dtype)).ToArray());
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    public override Tensor forward(Tensor input)
    {
        var hidden = input;
        foreach (var layer in layers.Take(layers.Count - 1))
        {
            var next = layer.call(hidden);
            if (!ReferenceEquals(hidden, input)) hidden.Dispose();
            hidden = next;
        }
        return hidden;
    }
}

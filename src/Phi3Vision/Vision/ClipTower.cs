using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The CLIP vision tower up to its second-to-last layer.</summary>
internal sealed class ClipTower : nn.Module
{
    private readonly ClipEmbeddings embeddings;

    // The spelling of the published checkpoint.
    private readonly LayerNorm pre_layrnorm;
    private readonly ClipEncoder encoder;

    // Has weights in every checkpoint but is never run: it follows the layer that the features are taken from.
    private readonly LayerNorm post_layernorm;

    public ClipTower(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipTower))
    {
        embeddings = new ClipEmbeddings(config, device, dtype);
        pre_layrnorm = nn.LayerNorm(config.HiddenSize, eps: config.LayerNormEps, device: device, dtype: dtype);
        encoder = new ClipEncoder(config, device, dtype);
        post_layernorm = nn.LayerNorm(config.HiddenSize, eps: config.LayerNormEps, device: device, dtype: dtype);
        RegisterComponents();
    }

    /// <param name="input">Views [V, 3, 336, 336].</param>
    /// <param name="tape">Records the layers.</param>
    /// <returns>Patch features [V, 576, C], without the class token.</returns>
    public Tensor forward(Tensor input, ActivationTape? tape)
    {
        using var scope = NewDisposeScope();
        // Position 0 is the class token: [V, 577, C] → [V, 576, C].
        var features = encoder.forward(pre_layrnorm.call(embeddings.call(input)), tape);
        return features.narrow(1, 1, features.shape[1] - 1).MoveToOuterDisposeScope();
    }
}

using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Embeds patches of 14×14 pixels, puts the class token in front and adds position embeddings.</summary>
internal sealed class ClipEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter class_embedding;
    private readonly PatchEmbedding patch_embedding;
    private readonly EmbeddingTable position_embedding;

    public ClipEmbeddings(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipEmbeddings))
    {
        var patches = config.ImageSize / config.PatchSize;
        class_embedding = new Parameter(torch.zeros(config.HiddenSize, dtype: dtype, device: device));
        patch_embedding = new PatchEmbedding(config, device, dtype);
        position_embedding = EmptyLayers.Embedding(patches * patches + 1, config.HiddenSize, null, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">Views [V, 3, 336, 336].</param>
    /// <returns>[V, 577, C].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var patches = patch_embedding.call(input);
        var classToken = class_embedding.view(1, 1, -1).expand(patches.shape[0], 1, patches.shape[2]);
        return torch.cat([classToken, patches], dim: 1).Plus(position_embedding.weight).MoveToOuterDisposeScope();
    }
}

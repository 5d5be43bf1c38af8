using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Vision;

/// <summary>
/// CLIP's vision model (https://arxiv.org/abs/2103.00020; <c>CLIPVisionModel</c> of the transformers library). Only adds the name
/// <c>vision_model</c> of the published checkpoint to the tower. The types of this file follow in the order of the forward pass. V views,
/// P = 577 positions of a view (the class token and 576 patches), C the width.
/// </summary>
internal sealed class ClipModel : nn.Module
{
    private readonly ClipTower vision_model;

    public ClipModel(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipModel))
    {
        vision_model = new ClipTower(config, device, dtype);
        RegisterComponents();
    }

    /// <inheritdoc cref="ClipTower.forward" />
    public Tensor forward(Tensor input, ActivationTape? tape) => vision_model.forward(input, tape);
}

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

    /// <summary>Computes layerₙ₋₁(… layer₁(norm(embed(views)))), n the number of layers.</summary>
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

    /// <summary>Computes [class token; patches] + positions.</summary>
    /// <param name="input">Views [V, 3, 336, 336].</param>
    /// <returns>[V, 577, C].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var patches = patch_embedding.call(input);
        // [C] → [V, 1, C], without a copy; joined with [V, 576, C] to [V, 577, C].
        var classToken = class_embedding.view(1, 1, -1).expand(patches.shape[0], 1, patches.shape[2]);
        return torch.cat([classToken, patches], dim: 1).Plus(position_embedding.weight).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// CLIP's patch convolution, computed as one matrix product W · patch, [C, 588] · [588]: the stride equals the kernel size, so patches do
/// not overlap, and the product is faster than a convolution on every engine.
/// </summary>
internal sealed class PatchEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly int _patch;
    private readonly int _perSide;

    public PatchEmbedding(ClipConfig config, Device device, ScalarType dtype) : base(nameof(PatchEmbedding))
    {
        (_patch, _perSide) = (config.PatchSize, config.ImageSize / config.PatchSize);
        // The kernel [C, 3, 14, 14]. CLIP's patch convolution has no bias.
        weight = new Parameter(torch.zeros(config.HiddenSize, config.NumChannels, _patch, _patch, dtype: dtype, device: device));
        RegisterComponents();
    }

    /// <param name="input">Views [V, 3, 336, 336].</param>
    /// <returns>[V, 576, C], row by row.</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var (views, channels) = (input.shape[0], input.shape[1]);
        // [V, 3, 24, 14, 24, 14] → [V, 24, 24, 3, 14, 14] → [V, 576, 588]: a patch's 3 · 14 · 14 values in the order of the kernel's
        // [C, 3, 14, 14].
        var patches = input.reshape(views, channels, _perSide, _patch, _perSide, _patch).permute(0, 2, 4, 1, 3, 5)
            .reshape(views, _perSide * _perSide, channels * _patch * _patch);
        return nn.functional.linear(patches, weight.view(weight.shape[0], -1)).MoveToOuterDisposeScope();
    }
}

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
    /// <returns>[V, P, C]: the input of the last layer.</returns>
    public Tensor forward(Tensor input, ActivationTape? tape)
    {
        var hidden = input;
        foreach (var layer in layers.Take(layers.Count - 1))
        {
            // Below the lowest trained layer there is no gradient to propagate, so that a recomputation would be wasted.
            var recorded = tape is not null && (hidden.requires_grad || layer.parameters().Any(parameter => parameter.requires_grad));
            var next = recorded ? tape!.Run(layer.call, hidden) : layer.call(hidden);
            // Freed here: in the caller's scope the outputs of all layers would be in memory until the last one. The input is the caller's.
            if (!ReferenceEquals(hidden, input)) hidden.Dispose();
            hidden = next;
        }
        return hidden;
    }
}

/// <summary>CLIP's pre-norm layer (<c>CLIPEncoderLayer</c>): y = x + attention(norm₁(x)), then y + MLP(norm₂(y)).</summary>
internal sealed class ClipLayer : nn.Module<Tensor, Tensor>
{
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm1;
    private readonly ClipMlp mlp;
    private readonly LayerNorm layer_norm2;

    public ClipLayer(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipLayer))
    {
        self_attn = new ClipAttention(config, device, dtype);
        layer_norm1 = nn.LayerNorm(config.HiddenSize, eps: config.LayerNormEps, device: device, dtype: dtype);
        mlp = new ClipMlp(config, device, dtype);
        layer_norm2 = nn.LayerNorm(config.HiddenSize, eps: config.LayerNormEps, device: device, dtype: dtype);
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    /// <returns>[V, P, C].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var attended = input.Plus(self_attn.call(layer_norm1.call(input)));
        return attended.Plus(mlp.call(layer_norm2.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Bidirectional self-attention over the positions of a view (<c>CLIPAttention</c>): W_o · softmax(Q · Kᵀ / √d) · V, d = C / heads.
/// </summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear q_proj;
    private readonly Linear out_proj;
    private readonly int _heads;

    public ClipAttention(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipAttention))
    {
        Linear Projection() => EmptyLayers.Linear(config.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        _heads = config.NumAttentionHeads;
        k_proj = Projection();
        v_proj = Projection();
        q_proj = Projection();
        out_proj = Projection();
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    /// <returns>[V, P, C].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var attended = nn.functional.scaled_dot_product_attention(
            Heads(q_proj.call(input)), Heads(k_proj.call(input)), Heads(v_proj.call(input)));
        return out_proj.call(attended.transpose(1, 2).reshape(input.shape)).MoveToOuterDisposeScope();
    }

    // [V, P, C] → [V, heads, P, d].
    private Tensor Heads(Tensor x) => x.view(x.shape[0], x.shape[1], _heads, x.shape[2] / _heads).transpose(1, 2);
}

/// <summary>CLIP's MLP (<c>CLIPMLP</c>): fc2(quickGELU(fc1(x))), with quickGELU(x) = x · sigmoid(1.702 x).</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private const double Slope = 1.702;

    private readonly Linear fc1;
    private readonly Linear fc2;

    public ClipMlp(ClipConfig config, Device device, ScalarType dtype) : base(nameof(ClipMlp))
    {
        fc1 = EmptyLayers.Linear(config.HiddenSize, config.IntermediateSize, hasBias: true, device, dtype);
        fc2 = EmptyLayers.Linear(config.IntermediateSize, config.HiddenSize, hasBias: true, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[V, P, C].</param>
    /// <returns>[V, P, C].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        // silu(y) / 1.702 with y = 1.702 x: fewer passes over the activations than x · sigmoid(y), forward and backward.
        var activated = nn.functional.silu(fc1.call(input).Times(Slope)).Multiply(1 / Slope);
        return fc2.call(activated).MoveToOuterDisposeScope();
    }
}

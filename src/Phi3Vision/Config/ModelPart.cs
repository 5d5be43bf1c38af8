namespace FunctionsPipeline.Phi3Vision;

/// <summary>Part of the model that a weight belongs to.</summary>
public enum ModelPart
{
    /// <summary>CLIP vision tower: <c>img_processor</c>.</summary>
    VisionTower,

    /// <summary>
    /// Projection of patch features to the decoder's width: <c>img_projection</c> and the separators <c>glb_GN</c> and <c>sub_GN</c>.
    /// </summary>
    Projector,

    /// <summary>Token embedding table: <c>embed_tokens</c>.</summary>
    Embeddings,

    /// <summary>Attention, MLP and norms of every decoder layer.</summary>
    DecoderLayers,

    /// <summary>Norm after the last decoder layer.</summary>
    FinalNorm,

    /// <summary>Projection of the final hidden state to logits: <c>lm_head</c>.</summary>
    Head,
}

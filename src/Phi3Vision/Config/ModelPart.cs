namespace FunctionsPipeline.Phi3Vision;

/// <summary>What a weight is part of.</summary>
public enum ModelPart
{
    /// <summary>CLIP: <c>img_processor</c>.</summary>
    VisionTower,

    /// <summary>
    /// From patch features to the decoder's width: <c>img_projection</c> and the learned separators <c>glb_GN</c> and <c>sub_GN</c>.
    /// </summary>
    Projector,

    /// <summary>The table of token embeddings.</summary>
    Embeddings,

    /// <summary>Attention, MLP and norms of every layer.</summary>
    DecoderLayers,

    /// <summary>The norm after the last layer.</summary>
    FinalNorm,

    /// <summary>From the last hidden state to logits: <c>lm_head</c>.</summary>
    Head,
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Dimensions of the CLIP vision tower. The defaults are those of ViT-L/14 at 336 pixels, which the published model uses.
/// </summary>
public sealed record ClipConfig
{
    /// <summary>Width of the patch features.</summary>
    public int HiddenSize { get; init; } = 1024;

    /// <summary>Width of the hidden layer of an MLP.</summary>
    public int IntermediateSize { get; init; } = 4096;

    /// <summary>Number of encoder layers. The last one has weights but is never run: its input is the features.</summary>
    public int NumHiddenLayers { get; init; } = 24;

    public int NumAttentionHeads { get; init; } = 16;

    public int NumChannels { get; init; } = 3;

    /// <summary>Side of a view in pixels.</summary>
    public int ImageSize { get; init; } = 336;

    /// <summary>Side of a patch in pixels.</summary>
    public int PatchSize { get; init; } = 14;

    public double LayerNormEps { get; init; } = 1e-5;

    public string HiddenAct { get; init; } = "quick_gelu";

    public int ProjectionDim { get; init; } = 768;

    public double InitializerFactor { get; init; } = 1.0;

    public double InitializerRange { get; init; } = 0.02;

    public double AttentionDropout { get; init; }

    public double Dropout { get; init; }
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>The <c>su</c> scaling of rotary positions: one divisor for each pair of a head's dimensions.</summary>
public sealed record RopeScaling
{
    public string Type { get; init; } = "su";

    /// <summary>Used while all positions of a call are below <see cref="Phi3VisionConfig.OriginalMaxPositionEmbeddings"/>.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>Used beyond.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];
}

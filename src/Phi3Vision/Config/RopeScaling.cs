namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The <c>su</c> scaling of rotary positions: one divisor of the frequency for each pair of a head's dimensions, d/2 in all.
/// </summary>
public sealed record RopeScaling
{
    public string Type { get; init; } = "su";

    /// <summary>Divisors while all positions of a call are below <see cref="Phi3VisionConfig.OriginalMaxPositionEmbeddings"/>.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>Divisors once a position of a call is at or beyond that limit.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];
}

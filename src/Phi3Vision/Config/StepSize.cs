namespace FunctionsPipeline.Phi3Vision;

/// <summary>Size of a training step's computation, without padding.</summary>
/// <param name="Tokens">Number of positions, those of images included.</param>
/// <param name="SquaredLengths">Sum of the squares of the samples' lengths: attention stays within a sample.</param>
/// <param name="ImageTokens">Number of image positions.</param>
/// <param name="Views">Number of views that the vision tower processes; 0 where its features are cached.</param>
/// <param name="Labels">Number of positions whose logits are computed.</param>
public readonly record struct StepSize(double Tokens, double SquaredLengths, double ImageTokens, double Views, double Labels)
{
    /// <summary>Makes the size of one sample; the size of a step is the sum over its samples.</summary>
    public static StepSize Sample(int tokens, int imageTokens, int views, int labels) =>
        new(tokens, (double)tokens * tokens, imageTokens, views, labels);

    public static StepSize operator +(StepSize a, StepSize b) => new(
        a.Tokens + b.Tokens, a.SquaredLengths + b.SquaredLengths, a.ImageTokens + b.ImageTokens, a.Views + b.Views, a.Labels + b.Labels);
}

/// <summary>Parts of the model that a training step changes.</summary>
/// <param name="Decoder">True when the decoder's layers and the head are trained.</param>
/// <param name="AdapterValues">Number of values of all low-rank adapters of the decoder's layers.</param>
public sealed record TrainedParts(bool Decoder, bool Projector, bool VisionTower, long AdapterValues = 0);

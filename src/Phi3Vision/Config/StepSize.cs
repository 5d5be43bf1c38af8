namespace FunctionsPipeline.Phi3Vision;

/// <summary>How much a training step is about; padding counts nowhere.</summary>
/// <param name="Tokens">Positions, those of images included.</param>
/// <param name="SquaredLengths">Sum of the squares of the samples' lengths: a sample sees only itself.</param>
/// <param name="ImageTokens">Positions of images.</param>
/// <param name="Views">Views that the vision tower sees; 0 where its features are kept.</param>
/// <param name="Labels">Positions that logits are made of.</param>
public readonly record struct StepSize(double Tokens, double SquaredLengths, double ImageTokens, double Views, double Labels)
{
    /// <summary>The size of one sample; a step's is the sum over its samples.</summary>
    public static StepSize Sample(int tokens, int imageTokens, int views, int labels) =>
        new(tokens, (double)tokens * tokens, imageTokens, views, labels);

    public static StepSize operator +(StepSize a, StepSize b) => new(
        a.Tokens + b.Tokens, a.SquaredLengths + b.SquaredLengths, a.ImageTokens + b.ImageTokens, a.Views + b.Views, a.Labels + b.Labels);
}

/// <summary>What a training step changes.</summary>
/// <param name="Decoder">Its layers and head.</param>
/// <param name="AdapterValues">Values of all low-rank adapters of the decoder's layers.</param>
public sealed record TrainedParts(bool Decoder, bool Projector, bool VisionTower, long AdapterValues = 0);

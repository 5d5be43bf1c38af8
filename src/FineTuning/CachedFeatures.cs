namespace FunctionsPipeline.FineTuning;

/// <summary>What a vision tower makes of an image's views, as bytes whose element type is the tower's.</summary>
/// <param name="Values">[<paramref name="Views"/>, patches, channels].</param>
/// <param name="Views">The global view and the crops.</param>
/// <param name="Height">Height of the padded picture that the crops tile, pixels, a multiple of 336.</param>
/// <param name="Width">Its width, pixels, a multiple of 336.</param>
internal sealed record CachedFeatures(byte[] Values, int Views, int Height, int Width);

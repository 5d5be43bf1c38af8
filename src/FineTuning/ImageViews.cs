namespace FunctionsPipeline.FineTuning;

/// <summary>What the image processor made of an image, a byte a value: exact for crops, within half a grey level for the resized global view.</summary>
/// <param name="Pixels">[Views,3,336,336].</param>
/// <param name="Views">The global view and the crops.</param>
/// <param name="Height">Of the padded picture, pixels.</param>
/// <param name="Width">Of the padded picture, pixels.</param>
/// <param name="Tokens">Tokens that the image takes in the prompt.</param>
internal sealed record ImageViews(byte[] Pixels, int Views, int Height, int Width, int Tokens);

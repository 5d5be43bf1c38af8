namespace FunctionsPipeline.Phi3Vision;

/// <summary>An image as the model takes it.</summary>
/// <param name="PixelValues">
/// Normalised pixels, [<paramref name="Views"/>, 3, 336, 336]: the global view, then the crops row by row. The published processor goes on
/// with crops of zeros, which mean nothing.
/// </param>
/// <param name="Views">One more than the crops.</param>
/// <param name="Height">Height of the padded picture that the crops tile, pixels, a multiple of 336.</param>
/// <param name="Width">Its width, pixels, a multiple of 336.</param>
/// <param name="Tokens">Positions that the image takes in a prompt.</param>
public sealed record ProcessedImage(float[] PixelValues, int Views, int Height, int Width, int Tokens)
{
    /// <summary>Positions that an image of this many crops takes: 144 for each view, and the separators.</summary>
    /// <param name="rows">Rows of crops.</param>
    /// <param name="columns">Columns of crops.</param>
    public static int TokensOf(int rows, int columns) => (rows * columns + 1) * 144 + 1 + (rows + 1) * 12;
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>An image prepared for the model.</summary>
/// <param name="PixelValues">
/// Normalised pixels, [<paramref name="Views"/>, 3, 336, 336]: the global view, then the crops row by row. The filler crops of zeros that
/// the published processor appends are left out.
/// </param>
/// <param name="Views">Number of views: the crops and the global view.</param>
/// <param name="Height">Height of the padded image that the crops tile, in pixels, a multiple of 336.</param>
/// <param name="Width">Width of the padded image, in pixels, a multiple of 336.</param>
/// <param name="Tokens">Number of positions that the image takes in a prompt.</param>
public sealed record ProcessedImage(float[] PixelValues, int Views, int Height, int Width, int Tokens)
{
    /// <summary>
    /// Computes the positions that an image takes: 144 per view (12 × 12 merged patches), one separator between crops and global view, and
    /// one at the end of each of the 12 · rows + 12 grid rows.
    /// </summary>
    /// <param name="rows">Number of rows of crops.</param>
    /// <param name="columns">Number of columns of crops.</param>
    public static int TokensOf(int rows, int columns) => (rows * columns + 1) * 144 + 1 + (rows + 1) * 12;
}

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Sizes of the HD transform, in the landscape orientation that it works in.</summary>
/// <param name="Transposed">
/// True when the image is taller than wide: x and y are swapped for the transform and swapped back at its end.
/// </param>
/// <param name="Width">Width after resizing in pixels, a multiple of 336.</param>
/// <param name="ResizedHeight">Height after resizing in pixels.</param>
/// <param name="PadTop">Number of white rows above.</param>
/// <param name="Height">Height after padding in pixels, a multiple of 336.</param>
internal readonly record struct HdShape(bool Transposed, int Width, int ResizedHeight, int PadTop, int Height)
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Width and height of the padded image, in the orientation of the source.</summary>
    public (int Width, int Height) Picture => Transposed ? (Height, Width) : (Width, Height);

    /// <summary>
    /// Computes the sizes at the largest scale whose crops number at most <paramref name="numCrops"/>. <see cref="ResizedHeight"/> is 0 for
    /// an image too thin to show.
    /// </summary>
    public static HdShape Of(int width, int height, int numCrops)
    {
        var transposed = width < height;
        if (transposed) (width, height) = (height, width);
        var ratio = width / (double)height;
        var scale = 1;
        // A scale of s gives s columns and ⌈s / ratio⌉ rows of crops; the loop ends one past the last that fits.
        while (scale * Math.Ceiling(scale / ratio) <= numCrops) scale++;
        scale--;
        var newWidth = scale * Side;
        // Truncated as in the published code, also where the division falls slightly below an integer.
        var newHeight = (int)(newWidth / ratio);
        var padded = (newHeight + Side - 1) / Side * Side;
        return new HdShape(transposed, newWidth, newHeight, (padded - newHeight) / 2, padded);
    }
}

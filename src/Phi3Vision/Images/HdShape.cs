namespace FunctionsPipeline.Phi3Vision;

/// <summary>The HD transform's sizes, in the landscape orientation that it works in.</summary>
/// <param name="Transposed">The picture is taller than wide: x and y are swapped for the transform and swapped back at its end.</param>
/// <param name="Width">Width after resizing, pixels, a multiple of 336.</param>
/// <param name="ResizedHeight">Height after resizing, pixels.</param>
/// <param name="PadTop">White rows above.</param>
/// <param name="Height">Height after padding, pixels, a multiple of 336.</param>
internal readonly record struct HdShape(bool Transposed, int Width, int ResizedHeight, int PadTop, int Height)
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Width and height of the padded picture in the orientation of the image.</summary>
    public (int Width, int Height) Picture => Transposed ? (Height, Width) : (Width, Height);

    /// <summary>
    /// The largest scale whose crops are no more than <paramref name="numCrops"/>. <see cref="ResizedHeight"/> is 0 for a picture too thin
    /// to show.
    /// </summary>
    public static HdShape Of(int width, int height, int numCrops)
    {
        var transposed = width < height;
        if (transposed) (width, height) = (height, width);
        var ratio = width / (double)height;
        var scale = 1;
        while (scale * Math.Ceiling(scale / ratio) <= numCrops) scale++;
        scale--;
        var newWidth = scale * Side;
        // Truncated exactly like the published code, also where the division falls a hair below the integer.
        var newHeight = (int)(newWidth / ratio);
        var padded = (newHeight + Side - 1) / Side * Side;
        return new HdShape(transposed, newWidth, newHeight, (padded - newHeight) / 2, padded);
    }
}

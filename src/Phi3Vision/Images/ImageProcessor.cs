using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision.Images;

/// <summary>
/// The published image processor: scales an image onto a grid of 336×336 crops (Pillow's bilinear resize), pads it with white, normalises
/// it, and adds the global view. Working memory is a few rows from the array pool. Safe for concurrent use.
/// </summary>
/// <param name="numCrops">Maximum number of crops, 1 to 16 in the published settings.</param>
/// <exception cref="ArgumentOutOfRangeException"><paramref name="numCrops"/> is not 1 to 1024.</exception>
public sealed class ImageProcessor(int numCrops)
{
    private const int Side = Phi3VisionConfig.ViewSize;

    /// <summary>Maximum number of crops.</summary>
    public int NumCrops { get; } = numCrops is >= 1 and <= 1024
        ? numCrops
        : throw new ArgumentOutOfRangeException(nameof(numCrops), numCrops, "An image is cut into 1 to 1024 crops.");

    /// <summary>Computes the views of an image.</summary>
    /// <exception cref="UnreadableImageException">
    /// The image is so thin that its shorter side shrinks to 0 pixels (<see cref="Rejection.BadShape"/>).
    /// </exception>
    public ProcessedImage Process(Image<Rgb24> image)
    {
        var shape = Shape(image.Width, image.Height);
        using var views = new ViewWriter(shape.PaddedSize.Width, shape.PaddedSize.Height);
        HdTransform.Run(image, shape, views.Add);
        return views.Image;
    }

    /// <summary>
    /// Computes the first half of <see cref="Process"/>: the padded image that the crops tile, an eighth to a quarter of the views' memory.
    /// </summary>
    /// <exception cref="UnreadableImageException">
    /// The image is so thin that its shorter side shrinks to 0 pixels (<see cref="Rejection.BadShape"/>).
    /// </exception>
    public PaddedImage Fit(Image<Rgb24> image)
    {
        var shape = Shape(image.Width, image.Height);
        var (width, height) = shape.PaddedSize;
        var rgb = GC.AllocateUninitializedArray<byte>(checked(width * height * 3));
        var written = 0;
        HdTransform.Run(image, shape, row =>
        {
            row.CopyTo(rgb.AsSpan(written));
            written += row.Length;
        });
        return new PaddedImage(rgb, width, height);
    }

    /// <summary>Computes the second half of <see cref="Process"/>: the views of a padded image.</summary>
    /// <exception cref="ArgumentException">The image's sides are not multiples of 336, or it does not have 3 bytes per pixel.</exception>
    public static ProcessedImage Views(PaddedImage image)
    {
        var (rgb, width, height) = image;
        if (width < Side || height < Side || width % Side != 0 || height % Side != 0 || rgb.Length != (long)width * height * 3)
        {
            throw new ArgumentException(
                $"{rgb.Length} bytes are no RGB image of {width}×{height} pixels that crops of {Side}×{Side} tile.", nameof(image));
        }
        using var views = new ViewWriter(width, height);
        for (var y = 0; y < height; y++) views.Add(rgb.AsSpan(y * width * 3, width * 3));
        return views.Image;
    }

    /// <summary>
    /// Computes the positions that an image of this size takes in a prompt: <see cref="ProcessedImage.Tokens"/> from the size alone.
    /// </summary>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <exception cref="UnreadableImageException">
    /// The image is so thin that its shorter side shrinks to 0 pixels (<see cref="Rejection.BadShape"/>).
    /// </exception>
    public int Tokens(int width, int height)
    {
        var padded = Shape(width, height).PaddedSize;
        return ProcessedImage.TokensOf(padded.Height / Side, padded.Width / Side);
    }

    private HdShape Shape(int width, int height)
    {
        var shape = HdShape.Of(width, height, NumCrops);
        return shape.ResizedHeight > 0
            ? shape
            : throw new UnreadableImageException(
                Rejection.BadShape, $"An image of {width}×{height} pixels is too thin for {NumCrops} crops of {Side}×{Side}.");
    }
}

/// <summary>An image resized onto a grid of crops and padded with white, before it is cut and normalised.</summary>
/// <param name="Rgb">Interleaved RGB bytes, row by row.</param>
/// <param name="Width">Width in pixels, a multiple of 336.</param>
/// <param name="Height">Height in pixels, a multiple of 336.</param>
public sealed record PaddedImage(byte[] Rgb, int Width, int Height);

/// <summary>An image prepared for the model.</summary>
/// <param name="PixelValues">
/// Normalised pixels, [<paramref name="Views"/>, 3, 336, 336]: the global view, then the crops row by row. The filler crops of zeros that
/// the published processor appends are left out. The crop of an image of one crop has the global view's pixels.
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

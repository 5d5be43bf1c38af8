using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Measures where the image processor puts an image of a given size, independently of its content. The probe is a black image: resizing
/// keeps it black and padding is white, so that the edges are visible.
/// </summary>
/// <param name="Width">Width of the resized and padded image, in pixels.</param>
/// <param name="ResizedWidth">Width before padding, in pixels.</param>
/// <param name="Left">Number of padding columns on the left.</param>
/// <param name="Top">Number of padding rows at the top.</param>
internal sealed record PictureFrame(int Width, int Height, int ResizedWidth, int ResizedHeight, int Left, int Top)
{
    /// <summary>Number of padding columns on the right.</summary>
    public int Right => Width - ResizedWidth - Left;

    /// <summary>Number of padding rows at the bottom.</summary>
    public int Bottom => Height - ResizedHeight - Top;

    /// <summary>Number of positions that the image takes in a prompt.</summary>
    public int Tokens => ProcessedImage.TokensOf(Height / Phi3VisionConfig.ViewSize, Width / Phi3VisionConfig.ViewSize);

    /// <returns>The frame; null for an image that is refused because it is too thin.</returns>
    public static PictureFrame? Measure(int width, int height, int numCrops)
    {
        using var black = new Image<Rgb24>(width, height, new Rgb24(0, 0, 0));
        PaddedImage picture;
        try
        {
            picture = new ImageProcessor(numCrops).Fit(black);
        }
        catch (UnreadableImageException)
        {
            return null;
        }
        bool IsBlack(int x, int y) => picture.Rgb[(y * picture.Width + x) * 3] == 0;
        var columns = Enumerable.Range(0, picture.Width).Where(x => IsBlack(x, Middle(picture.Height))).ToList();
        var rows = Enumerable.Range(0, picture.Height).Where(y => IsBlack(Middle(picture.Width), y)).ToList();
        return columns.Count == 0 || rows.Count == 0
            ? new PictureFrame(picture.Width, picture.Height, 0, 0, 0, 0)
            : new PictureFrame(picture.Width, picture.Height, columns.Count, rows.Count, columns[0], rows[0]);
    }

    // The resized image is centred, with an odd pixel of padding on the right or bottom, so this coordinate is inside however thin the
    // image is.
    private static int Middle(int side) => (side - 1) / 2;
}

using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// What the image processor does to a picture of some size, whatever is on it, measured on a black one: resizing leaves it black and
/// padding is white, so that the edge between them shows.
/// </summary>
/// <param name="Width">Of the resized and padded picture, pixels.</param>
/// <param name="ResizedWidth">Before padding.</param>
/// <param name="Left">Columns of padding at the left.</param>
/// <param name="Top">Rows of padding at the top.</param>
internal sealed record PictureFrame(int Width, int Height, int ResizedWidth, int ResizedHeight, int Left, int Top)
{
    /// <summary>Columns of padding at the right.</summary>
    public int Right => Width - ResizedWidth - Left;

    /// <summary>Rows of padding at the bottom.</summary>
    public int Bottom => Height - ResizedHeight - Top;

    /// <summary>Positions that the picture takes in a prompt.</summary>
    public int Tokens => ProcessedImage.TokensOf(Height / Phi3VisionConfig.ViewSize, Width / Phi3VisionConfig.ViewSize);

    /// <returns>Null for a picture that is too thin to show anything, which is refused.</returns>
    public static PictureFrame? Measure(int width, int height, int numCrops)
    {
        using var black = new Image<Rgb24>(width, height, new Rgb24(0, 0, 0));
        HdPicture picture;
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

    // The resized picture is centred, the odd pixel of padding at the right or bottom: this is inside it however thin it is.
    private static int Middle(int side) => (side - 1) / 2;
}

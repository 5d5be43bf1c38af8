using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Processing;

namespace FunctionsPipeline.Images;

/// <summary>A small copy of an image, as JPEG.</summary>
/// <param name="Content">The JPEG file.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
public sealed record Thumbnail(byte[] Content, int Width, int Height)
{
    private const int JpegQuality = 80;

    /// <summary>Scales an image down, upright, until its longer side has the given length; smaller images keep their size.</summary>
    /// <param name="bytes">Encoded image.</param>
    /// <param name="side">Maximum length of the longer side, in pixels.</param>
    /// <exception cref="UnreadableImageException">As <see cref="ImageReader.Read"/>.</exception>
    public static Thumbnail Of(ReadOnlyMemory<byte> bytes, int side)
    {
        using var image = ImageReader.ReadSmall(bytes, side);
        if (Math.Max(image.Width, image.Height) > side)
            image.Mutate(context => context.Resize(new ResizeOptions { Mode = ResizeMode.Max, Size = new Size(side, side) }));
        // The image is turned already.
        image.Metadata.ExifProfile = null;
        using var jpeg = new MemoryStream();
        image.SaveAsJpeg(jpeg, new JpegEncoder { Quality = JpegQuality });
        return new Thumbnail(jpeg.ToArray(), image.Width, image.Height);
    }
}

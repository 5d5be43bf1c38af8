namespace FunctionsPipeline.Images;

/// <summary>Supported file formats; of an animation, only the first frame is read.</summary>
public enum ImageFormat
{
    Jpeg,
    Png,
    Webp,
    Gif,
    Bmp,
}

/// <summary>Format and size of an image, from its header.</summary>
/// <param name="Width">Width in pixels, after EXIF orientation is applied.</param>
/// <param name="Height">Height in pixels, after EXIF orientation is applied.</param>
public sealed record ImageHeader(ImageFormat Format, int Width, int Height)
{
    /// <summary>File extension without the dot.</summary>
    public string Extension => Format switch
    {
        ImageFormat.Jpeg => "jpg",
        ImageFormat.Png => "png",
        ImageFormat.Webp => "webp",
        ImageFormat.Gif => "gif",
        _ => "bmp",
    };

    /// <summary>Media type, for the header <c>Content-Type</c>.</summary>
    public string MediaType => Format switch
    {
        ImageFormat.Jpeg => "image/jpeg",
        ImageFormat.Png => "image/png",
        ImageFormat.Webp => "image/webp",
        ImageFormat.Gif => "image/gif",
        _ => "image/bmp",
    };
}

namespace FunctionsPipeline.Images;

/// <summary>The file formats that are read. Of an animation it is the first frame.</summary>
public enum ImageFormat
{
    Jpeg,
    Png,
    Webp,
    Gif,
    Bmp,
}

/// <summary>What the header of an image says.</summary>
/// <param name="Width">Pixels of the picture as it is shown: after its EXIF orientation.</param>
/// <param name="Height">Pixels, likewise.</param>
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

    /// <summary>The <c>Content-Type</c>.</summary>
    public string MediaType => Format switch
    {
        ImageFormat.Jpeg => "image/jpeg",
        ImageFormat.Png => "image/png",
        ImageFormat.Webp => "image/webp",
        ImageFormat.Gif => "image/gif",
        _ => "image/bmp",
    };
}

namespace FunctionsPipeline.Images;

/// <summary>The file formats that are read.</summary>
public enum ImageFormat
{
    Jpeg,
    Png,
    Webp,
}

/// <summary>What the header of an image says.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
public sealed record ImageHeader(ImageFormat Format, int Width, int Height)
{
    /// <summary>File extension without the dot.</summary>
    public string Extension => Format switch { ImageFormat.Jpeg => "jpg", ImageFormat.Png => "png", _ => "webp" };

    /// <summary>The <c>Content-Type</c>.</summary>
    public string MediaType => Format switch { ImageFormat.Jpeg => "image/jpeg", ImageFormat.Png => "image/png", _ => "image/webp" };
}

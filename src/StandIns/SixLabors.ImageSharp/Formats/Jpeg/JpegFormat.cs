namespace SixLabors.ImageSharp.Formats.Jpeg;

/// <summary>The JPEG format.</summary>
public sealed class JpegFormat : IImageFormat
{
    private JpegFormat() { }

    public static JpegFormat Instance { get; } = new();

    public string Name => "JPEG";

    public string DefaultMimeType => "image/jpeg";

    public IEnumerable<string> MimeTypes => ["image/jpeg", "image/pjpeg"];

    public IEnumerable<string> FileExtensions => ["jpg", "jpeg", "jfif"];
}

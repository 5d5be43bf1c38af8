namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>The PNG format.</summary>
public sealed class PngFormat : IImageFormat
{
    private PngFormat() { }

    public static PngFormat Instance { get; } = new();

    public string Name => "PNG";

    public string DefaultMimeType => "image/png";

    public IEnumerable<string> MimeTypes => ["image/png", "image/apng"];

    public IEnumerable<string> FileExtensions => ["png", "apng"];
}

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>The BMP format.</summary>
public sealed class BmpFormat : IImageFormat
{
    private BmpFormat() { }

    public static BmpFormat Instance { get; } = new();

    public string Name => "BMP";

    public string DefaultMimeType => "image/bmp";

    public IEnumerable<string> MimeTypes => ["image/bmp", "image/x-windows-bmp", "image/x-win-bitmap"];

    public IEnumerable<string> FileExtensions => ["bm", "bmp", "dip"];
}

namespace SixLabors.ImageSharp.Formats;

/// <summary>An encoded image format.</summary>
public interface IImageFormat
{
    string Name { get; }

    string DefaultMimeType { get; }

    IEnumerable<string> MimeTypes { get; }

    IEnumerable<string> FileExtensions { get; }
}

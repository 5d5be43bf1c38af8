using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;

namespace SixLabors.ImageSharp;

/// <summary>Writing images.</summary>
public static class ImageExtensions
{
    /// <summary>Writes a file in the format of its extension: jpg, png or webp.</summary>
    public static void Save(this Image source, string path)
    {
        var extension = Path.GetExtension(path).TrimStart('.').ToLowerInvariant();
        IImageEncoder encoder =
            JpegFormat.Instance.FileExtensions.Contains(extension) ? new JpegEncoder()
            : PngFormat.Instance.FileExtensions.Contains(extension) ? new PngEncoder()
            : WebpFormat.Instance.FileExtensions.Contains(extension) ? new WebpEncoder()
            : throw new UnknownImageFormatException($"No encoder is known for the extension '{extension}' of {path}.");
        Save(source, path, encoder);
    }

    public static void Save(this Image source, string path, IImageEncoder encoder)
    {
        using var stream = File.Create(path);
        source.Save(stream, encoder);
    }

    public static void SaveAsJpeg(this Image source, Stream stream) => SaveAsJpeg(source, stream, null);

    public static void SaveAsJpeg(this Image source, Stream stream, JpegEncoder? encoder) => source.Save(stream, encoder ?? new JpegEncoder());

    public static void SaveAsJpeg(this Image source, string path) => SaveAsJpeg(source, path, null);

    public static void SaveAsJpeg(this Image source, string path, JpegEncoder? encoder) => source.Save(path, encoder ?? new JpegEncoder());

    public static Task SaveAsJpegAsync(this Image source, Stream stream, CancellationToken cancellationToken = default) =>
        SaveAsJpegAsync(source, stream, null, cancellationToken);

    public static Task SaveAsJpegAsync(
        this Image source, Stream stream, JpegEncoder? encoder, CancellationToken cancellationToken = default) =>
        source.SaveAsync(stream, encoder ?? new JpegEncoder(), cancellationToken);

    public static void SaveAsPng(this Image source, Stream stream) => SaveAsPng(source, stream, null);

    public static void SaveAsPng(this Image source, Stream stream, PngEncoder? encoder) => source.Save(stream, encoder ?? new PngEncoder());

    public static void SaveAsPng(this Image source, string path) => SaveAsPng(source, path, null);

    public static void SaveAsPng(this Image source, string path, PngEncoder? encoder) => source.Save(path, encoder ?? new PngEncoder());

    public static Task SaveAsPngAsync(this Image source, Stream stream, CancellationToken cancellationToken = default) =>
        SaveAsPngAsync(source, stream, null, cancellationToken);

    public static Task SaveAsPngAsync(
        this Image source, Stream stream, PngEncoder? encoder, CancellationToken cancellationToken = default) =>
        source.SaveAsync(stream, encoder ?? new PngEncoder(), cancellationToken);

    public static void SaveAsWebp(this Image source, Stream stream) => SaveAsWebp(source, stream, null);

    public static void SaveAsWebp(this Image source, Stream stream, WebpEncoder? encoder) => source.Save(stream, encoder ?? new WebpEncoder());

    public static void SaveAsWebp(this Image source, string path) => SaveAsWebp(source, path, null);

    public static void SaveAsWebp(this Image source, string path, WebpEncoder? encoder) => source.Save(path, encoder ?? new WebpEncoder());

    public static Task SaveAsWebpAsync(this Image source, Stream stream, CancellationToken cancellationToken = default) =>
        SaveAsWebpAsync(source, stream, null, cancellationToken);

    public static Task SaveAsWebpAsync(
        this Image source, Stream stream, WebpEncoder? encoder, CancellationToken cancellationToken = default) =>
        source.SaveAsync(stream, encoder ?? new WebpEncoder(), cancellationToken);
}

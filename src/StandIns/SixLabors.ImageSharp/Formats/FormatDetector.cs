using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;

namespace SixLabors.ImageSharp.Formats;

/// <summary>Tells formats by their first bytes.</summary>
internal static class FormatDetector
{
    public const int HeaderSize = 12;

    public static IImageFormat Detect(ReadOnlySpan<byte> data) =>
        data.StartsWith<byte>([0xFF, 0xD8, 0xFF]) ? JpegFormat.Instance
        : data.StartsWith<byte>([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) ? PngFormat.Instance
        : data.StartsWith("GIF87a"u8) || data.StartsWith("GIF89a"u8) ? GifFormat.Instance
        : data.Length >= HeaderSize && data.StartsWith("RIFF"u8) && data[8..].StartsWith("WEBP"u8) ? WebpFormat.Instance
        : data.StartsWith("BM"u8) ? BmpFormat.Instance
        : throw new UnknownImageFormatException(data.IsEmpty
            ? "Image cannot be loaded: there are no bytes."
            : "Image cannot be loaded: the bytes begin like none of JPEG, PNG, GIF, WebP and BMP.");
}

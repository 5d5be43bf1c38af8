using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;

namespace SixLabors.ImageSharp.Formats;

/// <summary>Reads the header of an image without decoding anything, so that its size is known before memory is spent on it.</summary>
internal static class HeaderReader
{
    private const int FirstRead = 16 << 10;

    /// <exception cref="UnknownImageFormatException"/>
    /// <exception cref="InvalidImageContentException"/>
    public static ImageHeader Read(ReadOnlySpan<byte> data) => TryRead(data) ?? throw CutShort(FormatDetector.Detect(data));

    /// <summary>Reads no more of the stream than the header needs, rounded up to a doubling buffer.</summary>
    public static ImageHeader Read(Stream stream)
    {
        var buffer = new byte[FirstRead];
        for (var length = 0; ;)
        {
            var count = stream.ReadAtLeast(buffer.AsSpan(length), buffer.Length - length, throwOnEndOfStream: false);
            length += count;
            if (TryRead(buffer.AsSpan(0, length)) is { } header) return header;
            if (length < buffer.Length || buffer.Length > Array.MaxLength / 2) throw CutShort(FormatDetector.Detect(buffer));
            Array.Resize(ref buffer, buffer.Length * 2);
        }
    }

    private static ImageHeader? TryRead(ReadOnlySpan<byte> data)
    {
        var header = FormatDetector.Detect(data) switch
        {
            JpegFormat => JpegHeader.TryRead(data),
            PngFormat => PngHeader.TryRead(data),
            WebpFormat => WebpHeader.TryRead(data),
            GifFormat => GifHeader.TryRead(data),
            _ => BmpHeader.TryRead(data),
        };
        if (header is { Width: <= 0 } or { Height: <= 0 })
            throw new InvalidImageContentException($"The {header.Format.Name} header says {header.Width} x {header.Height} pixels.");
        return header;
    }

    private static InvalidImageContentException CutShort(IImageFormat format) => new($"The {format.Name} header is cut short.");
}

using SixLabors.ImageSharp.Native;

namespace SixLabors.ImageSharp.Formats.Webp;

/// <summary>How a WebP is compressed.</summary>
public enum WebpFileFormatType
{
    Lossless,
    Lossy,
}

/// <summary>Writes WebP.</summary>
public sealed class WebpEncoder : ImageEncoder
{
    /// <summary>Null: lossy.</summary>
    public WebpFileFormatType? FileFormat { get; init; }

    /// <summary>0 to 100, for lossy images.</summary>
    public int Quality { get; init; } = 75;

    protected override unsafe void Encode<TPixel>(Image<TPixel> image, Stream stream, CancellationToken cancellationToken)
    {
        var bytes = EncoderBytes.Rgba(image);
        byte* webp;
        nuint size;
        fixed (byte* source = bytes)
        {
            var stride = bytes.Length / image.Height;
            size = FileFormat == WebpFileFormatType.Lossless
                ? LibWebp.WebPEncodeLosslessRGBA(source, image.Width, image.Height, stride, out webp)
                : LibWebp.WebPEncodeRGBA(source, image.Width, image.Height, stride, Quality, out webp);
        }
        try
        {
            if (size == 0)
                throw new ImageFormatException($"The WebP cannot be encoded: {image.Width} x {image.Height} pixels (the format ends at 16383).");
            stream.Write(new ReadOnlySpan<byte>(webp, (int)size));
        }
        finally
        {
            LibWebp.WebPFree(webp);
        }
    }
}

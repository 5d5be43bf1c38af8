using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Images;

/// <summary>
/// The one place that reads images from outside. Everything a header can tell is checked before a pixel is decoded, so that a small file
/// that promises a huge picture costs nothing. EXIF orientation is not applied and alpha is dropped, as in the model's reference processor.
/// </summary>
public static class ImageReader
{
    // Profiles and comments may hold compressed data of their own, and nobody reads them here.
    private static readonly DecoderOptions Options = new() { MaxFrames = 1, SkipMetadata = true };

    /// <summary>Reads the header and checks it against the limits; no pixel is decoded.</summary>
    /// <exception cref="UnreadableImageException">It is empty, too large, no image, cut off, has too many pixels or an impossible shape.
    /// </exception>
    public static ImageHeader Identify(ReadOnlyMemory<byte> bytes, ImageLimits? limits = null)
    {
        limits ??= ImageLimits.Default;
        if (bytes.IsEmpty) throw new UnreadableImageException(Rejection.Empty, "the file has no bytes");
        if (bytes.Length > limits.MaxBytes)
            throw new UnreadableImageException(Rejection.TooLarge, $"{bytes.Length:N0} bytes; at most {limits.MaxBytes:N0} are read");
        var format = ImageLayout.Recognise(bytes.Span) ?? throw new UnreadableImageException(Rejection.NotAnImage,
            $"not a JPEG, PNG or WebP file: it begins with {Convert.ToHexStringLower(bytes.Span[..Math.Min(8, bytes.Length)])}");
        var header = ReadHeader(bytes, format);
        CheckSize(header, limits);
        if (!ImageLayout.IsComplete(bytes.Span, format))
            throw new UnreadableImageException(Rejection.Truncated,
                $"the {format} file ends before its picture does, after {bytes.Length:N0} bytes");
        return header;
    }

    /// <summary>Decodes an image to 8-bit RGB.</summary>
    /// <exception cref="UnreadableImageException">As <see cref="Identify"/>, or its data is damaged.</exception>
    public static Image<Rgb24> Read(ReadOnlyMemory<byte> bytes, ImageLimits? limits = null)
    {
        var header = Identify(bytes, limits);
        try
        {
            return Image.Load<Rgb24>(Options, bytes.Span);
        }
        catch (Exception e) when (e is ImageFormatException or NotSupportedException)
        {
            throw new UnreadableImageException(Rejection.Truncated, $"the {header.Format} file's data is damaged: {e.Message}", e);
        }
        catch (InvalidMemoryOperationException e)
        {
            throw new UnreadableImageException(Rejection.TooManyPixels, $"{header.Width}×{header.Height} pixels do not fit in memory", e);
        }
    }

    private static ImageHeader ReadHeader(ReadOnlyMemory<byte> bytes, ImageFormat format)
    {
        try
        {
            var info = Image.Identify(Options, bytes.Span);
            return new ImageHeader(format, info.Width, info.Height);
        }
        catch (Exception e) when (e is ImageFormatException or NotSupportedException)
        {
            throw ImageLayout.IsComplete(bytes.Span, format)
                ? new UnreadableImageException(Rejection.NotAnImage,
                    $"it begins as a {format} file, but has no valid header: {e.Message}", e)
                : new UnreadableImageException(Rejection.Truncated,
                    $"the {format} file ends within its header, after {bytes.Length:N0} bytes", e);
        }
    }

    private static void CheckSize(ImageHeader header, ImageLimits limits)
    {
        var (width, height) = (header.Width, header.Height);
        if (width < 1 || height < 1) throw new UnreadableImageException(Rejection.BadShape, $"{width}×{height} pixels");
        if (Math.Max(width, height) > limits.MaxSide || (long)width * height > limits.MaxPixels)
            throw new UnreadableImageException(Rejection.TooManyPixels,
                $"{width}×{height} pixels; at most {limits.MaxPixels:N0} in all and {limits.MaxSide:N0} a side are read");
        if ((double)Math.Max(width, height) / Math.Min(width, height) > limits.MaxAspectRatio)
            throw new UnreadableImageException(Rejection.BadShape,
                $"{width}×{height} pixels; one side may be at most {limits.MaxAspectRatio:0} times the other");
    }
}

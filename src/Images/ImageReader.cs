using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;
using SkiaSharp;

namespace FunctionsPipeline.Images;

/// <summary>
/// Reads untrusted images, for training and serving alike: shards hold the original bytes, so that both decode to the same pixels.
/// Composites transparent images over white and applies EXIF orientation, except for PNG, where the codec does not report it. Checks limits
/// before any pixel is decoded, which guards against decompression bombs.
/// </summary>
public static class ImageReader
{
    // The smallest scale at which the JPEG decoder can decode (its inverse DCT yields one pixel per 8×8 block).
    private const float SmallestScale = 1 / 8f;

    /// <summary>Reads the header and checks it against the limits without decoding a pixel.</summary>
    /// <exception cref="UnreadableImageException">The file is empty, too large, not an image, truncated, or has a damaged header, too many
    /// pixels or an extreme aspect ratio.</exception>
    public static ImageHeader Identify(ReadOnlyMemory<byte> bytes, ImageLimits? limits = null)
    {
        using var codec = Open(bytes.Span, limits ?? ImageLimits.Default, out var header);
        return header;
    }

    /// <summary>
    /// Decodes an image to detect damage. A JPEG is decoded at an eighth of its size, which still reads all its data in a third of the
    /// time.
    /// </summary>
    /// <exception cref="UnreadableImageException">As <see cref="Read"/>.</exception>
    public static ImageHeader Verify(ReadOnlyMemory<byte> bytes, ImageLimits? limits = null) => Verify(bytes, limits, out _);

    /// <inheritdoc cref="Verify(ReadOnlyMemory{byte}, ImageLimits?)"/>
    /// <param name="hash">The perceptual hash of the decoded image.</param>
    public static ImageHeader Verify(ReadOnlyMemory<byte> bytes, ImageLimits? limits, out PerceptualHash hash)
    {
        using var codec = Open(bytes.Span, limits ?? ImageLimits.Default, out var header);
        var size = header.Format == ImageFormat.Jpeg ? codec.GetScaledDimensions(SmallestScale) : codec.Info.Size;
        using var decoded = Decode(codec, size, header);
        hash = PerceptualHash.Of(decoded, codec.EncodedOrigin);
        return header;
    }

    /// <summary>Decodes an image to 8-bit RGB.</summary>
    /// <exception cref="UnreadableImageException">As <see cref="Identify"/>, or the image data is truncated or damaged.</exception>
    public static Image<Rgb24> Read(ReadOnlyMemory<byte> bytes, ImageLimits? limits = null)
    {
        using var codec = Open(bytes.Span, limits ?? ImageLimits.Default, out var header);
        return Turned(codec, codec.Info.Size, header);
    }

    /// <summary>
    /// Decodes an image to be shown small: a JPEG at the smallest scale at which its longer side still has the given length, which takes a
    /// fraction of the time and memory; other formats at full size.
    /// </summary>
    /// <param name="side">Length that the longer side is to have at least, in pixels, if it has it in the file.</param>
    /// <exception cref="UnreadableImageException">As <see cref="Read"/>.</exception>
    public static Image<Rgb24> ReadSmall(ReadOnlyMemory<byte> bytes, int side, ImageLimits? limits = null)
    {
        using var codec = Open(bytes.Span, limits ?? ImageLimits.Default, out var header);
        var size = codec.Info.Size;
        if (header.Format == ImageFormat.Jpeg)
        {
            // The decoder has eight scales, and takes the nearest to the one that is asked for.
            var eighths = Enumerable.Range(1, 8).First(n => n == 8 || Math.Max(size.Width, size.Height) * n >= side * 8);
            size = codec.GetScaledDimensions(eighths / 8f);
        }
        return Turned(codec, size, header);
    }

    /// <summary>Decodes an image at one of the codec's sizes and turns it upright.</summary>
    private static Image<Rgb24> Turned(SKCodec codec, SKSizeI size, ImageHeader header)
    {
        using var decoded = Decode(codec, size, header);
        var image = ToRgb(decoded);
        if (codec.EncodedOrigin == SKEncodedOrigin.TopLeft) return image;
        image.Metadata.ExifProfile = new ExifProfile();
        // SKEncodedOrigin has EXIF's numbers, 1 to 8.
        image.Metadata.ExifProfile.SetValue(ExifTag.Orientation, (ushort)codec.EncodedOrigin);
        image.Mutate(context => context.AutoOrient());
        return image;
    }

    private static SKCodec Open(ReadOnlySpan<byte> bytes, ImageLimits limits, out ImageHeader header)
    {
        if (bytes.IsEmpty) throw new UnreadableImageException(Rejection.Empty, "the file has no bytes");
        if (bytes.Length > limits.MaxBytes)
            throw new UnreadableImageException(Rejection.TooLarge, $"{bytes.Length:N0} bytes; at most {limits.MaxBytes:N0} are read");
        // A native copy, since the codec reads it after this method has returned; the codec's stream holds it beyond this `using`.
        using var data = SKData.CreateCopy(bytes);
        var codec = SKCodec.Create(new SKMemoryStream(data), out var result);
        try
        {
            // The codec cannot detect the format of a file shorter than this minimum.
            // Unimplemented: no decoder recognises the first bytes.
            var isKnown = bytes.Length >= SKCodec.MinBufferedBytesNeeded && result != SKCodecResult.Unimplemented;
            if (codec is null && isKnown) throw Unreadable(result, "file's header");
            if (codec is null || FormatOf(codec) is not { } format)
            {
                var start = Convert.ToHexStringLower(bytes[..Math.Min(8, bytes.Length)]);
                throw new UnreadableImageException(Rejection.NotAnImage, $"not a JPEG, PNG, WebP, GIF or BMP file: it begins with {start}");
            }
            var (width, height) = (codec.Info.Width, codec.Info.Height);
            // EXIF orientations 5 to 8 exchange width and height.
            if (codec.EncodedOrigin >= SKEncodedOrigin.LeftTop) (width, height) = (height, width);
            header = new ImageHeader(format, width, height);
            CheckSize(width, height, limits);
            return codec;
        }
        catch
        {
            codec?.Dispose();
            throw;
        }
    }

    private static ImageFormat? FormatOf(SKCodec codec) => codec.EncodedFormat switch
    {
        SKEncodedImageFormat.Jpeg => ImageFormat.Jpeg,
        SKEncodedImageFormat.Png => ImageFormat.Png,
        SKEncodedImageFormat.Webp => ImageFormat.Webp,
        SKEncodedImageFormat.Gif => ImageFormat.Gif,
        SKEncodedImageFormat.Bmp => ImageFormat.Bmp,
        _ => null,
    };

    private static void CheckSize(int width, int height, ImageLimits limits)
    {
        if (Math.Max(width, height) > limits.MaxSide || (long)width * height > limits.MaxPixels)
        {
            throw new UnreadableImageException(Rejection.TooManyPixels,
                $"{width}×{height} pixels; at most {limits.MaxPixels:N0} in all and {limits.MaxSide:N0} a side are read");
        }
        if ((double)Math.Max(width, height) / Math.Min(width, height) > limits.MaxAspectRatio)
        {
            throw new UnreadableImageException(Rejection.BadShape,
                $"{width}×{height} pixels; one side may be at most {limits.MaxAspectRatio:0} times the other");
        }
    }

    /// <summary>Decodes the first frame, without a colour space, so that colours are not converted.</summary>
    private static SKBitmap Decode(SKCodec codec, SKSizeI size, ImageHeader header)
    {
        // Not premultiplied: that would round colours before OverWhite weighs them by alpha.
        var alpha = codec.Info.IsOpaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul;
        var info = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, alpha);
        var bitmap = new SKBitmap();
        try
        {
            if (!bitmap.TryAllocPixels(info))
            {
                throw new UnreadableImageException(
                    Rejection.TooManyPixels, $"{header.Width}×{header.Height} pixels do not fit in memory");
            }
            var result = header.Format == ImageFormat.Jpeg ? DecodeJpeg(codec, bitmap) : codec.GetPixels(info, bitmap.GetPixels());
            return result == SKCodecResult.Success ? bitmap : throw Unreadable(result, $"{header.Format} file's data");
        }
        catch
        {
            bitmap.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Decodes a JPEG by scanlines, which requires all its scans: <see cref="SKCodec.GetPixels(SKImageInfo, IntPtr)"/> reports success for
    /// a truncated progressive JPEG.
    /// </summary>
    private static SKCodecResult DecodeJpeg(SKCodec codec, SKBitmap bitmap)
    {
        // The codec refuses a JPEG after 99 scans, which bounds the time that a small file can take.
        if (codec.StartScanlineDecode(bitmap.Info) == SKCodecResult.Success
            && codec.GetScanlines(bitmap.GetPixels(), bitmap.Height, bitmap.RowBytes) == bitmap.Height) return SKCodecResult.Success;
        // Scanline decoding does not distinguish damaged from missing data; GetPixels does.
        var result = codec.GetPixels(bitmap.Info, bitmap.GetPixels());
        return result == SKCodecResult.Success ? SKCodecResult.IncompleteInput : result;
    }

    private static UnreadableImageException Unreadable(SKCodecResult result, string what) => result == SKCodecResult.IncompleteInput
        ? new UnreadableImageException(Rejection.Truncated, $"the {what} is cut off")
        : new UnreadableImageException(Rejection.Corrupt, $"the {what} is damaged ({result})");

    private static Image<Rgb24> ToRgb(SKBitmap decoded)
    {
        var image = new Image<Rgb24>(decoded.Width, decoded.Height);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++)
            {
                var source = decoded.GetPixelSpan(0, y)[..(rows.Width * 4)];
                var target = rows.GetRowSpan(y);
                if (decoded.AlphaType == SKAlphaType.Opaque)
                    PixelOperations<Rgb24>.Instance.FromRgba32Bytes(Configuration.Default, source, target, target.Length);
                else
                    for (var x = 0; x < target.Length; x++) target[x] = OverWhite(source.Slice(x * 4, 4));
            }
        });
        return image;
    }

    // Per channel: (colour · alpha + 255 · (255 - alpha)) / 255, rounded to the nearest.
    private static Rgb24 OverWhite(ReadOnlySpan<byte> rgba)
    {
        var alpha = rgba[3];
        return new Rgb24(Blend(rgba[0]), Blend(rgba[1]), Blend(rgba[2]));

        byte Blend(byte colour) => (byte)(((colour * alpha) + (255 * (255 - alpha)) + 127) / 255);
    }
}

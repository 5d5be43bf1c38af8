using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Native;
using SixLabors.ImageSharp.PixelFormats;
using static SixLabors.ImageSharp.Native.TurboJpeg;

namespace SixLabors.ImageSharp.Formats.Jpeg;

/// <summary>How the colour of a JPEG is stored.</summary>
public enum JpegEncodingColor : byte
{
    YCbCrRatio420 = 0,
    YCbCrRatio444 = 1,
    YCbCrRatio422 = 2,
    Luminance = 5,
}

/// <summary>Writes baseline JPEG.</summary>
public sealed class JpegEncoder : ImageEncoder
{
    private readonly int? quality;

    /// <summary>1 to 100; null: 75.</summary>
    public int? Quality
    {
        get => quality;
        init
        {
            if (value is < 1 or > 100) throw new ArgumentException($"Quality factor must be in [1..100] range, not {value}.");
            quality = value;
        }
    }

    /// <summary>Null: 4:2:0, and <see cref="JpegEncodingColor.Luminance"/> for grey pixels.</summary>
    public JpegEncodingColor? ColorType { get; init; }

    protected override unsafe void Encode<TPixel>(Image<TPixel> image, Stream stream, CancellationToken cancellationToken)
    {
        var subsampling = ColorType switch
        {
            JpegEncodingColor.YCbCrRatio444 => Subsampling.Yuv444,
            JpegEncodingColor.YCbCrRatio422 => Subsampling.Yuv422,
            JpegEncodingColor.Luminance => Subsampling.Grey,
            null when typeof(TPixel) == typeof(L8) => Subsampling.Grey,
            _ => Subsampling.Yuv420,
        };
        var handle = tjInitCompress();
        if (handle == 0) throw new InvalidOperationException("libjpeg-turbo could not make an encoder.");
        byte* jpeg = null;
        var size = default(CULong);
        try
        {
            var (bytes, format) = Bytes(image);
            fixed (byte* source = bytes)
            {
                if (tjCompress2(
                    handle, source, image.Width, bytes.Length / image.Height, image.Height, format,
                    ref jpeg, ref size, subsampling, Quality ?? 75, flags: 0) != 0)
                    throw new InvalidOperationException($"The JPEG cannot be encoded: {Error(handle)}.");
            }
            stream.Write(new ReadOnlySpan<byte>(jpeg, (int)size.Value));
        }
        finally
        {
            tjFree(jpeg);
            _ = tjDestroy(handle);
        }
    }

    private static EncoderBytes<PixelFormat> Bytes<TPixel>(Image<TPixel> image)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var bytes = MemoryMarshal.AsBytes(image.Pixels.AsSpan());
        if (typeof(TPixel) == typeof(Rgb24)) return new(bytes, PixelFormat.Rgb);
        if (typeof(TPixel) == typeof(L8)) return new(bytes, PixelFormat.Grey);
        return new(EncoderBytes.Rgba(image), PixelFormat.Rgba);
    }
}

using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Native;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;
using static SixLabors.ImageSharp.Native.TurboJpeg;

namespace SixLabors.ImageSharp.Formats.Jpeg;

/// <summary>JPEG through libjpeg-turbo: baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK.</summary>
internal static unsafe class JpegDecoding
{
    // What libjpeg warns of although every pixel is there.
    private static readonly string[] Harmless = ["extraneous bytes", "Unknown Adobe color transform", "unknown JFIF revision", "ICC profile"];

    public static Image<TPixel> Decode<TPixel>(ImageHeader header, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var handle = tjInitDecompress();
        if (handle == 0) throw new InvalidOperationException("libjpeg-turbo could not make a decoder.");
        try
        {
            fixed (byte* jpeg = data)
            {
                var size = new CULong((nuint)data.Length);
                Check(handle, tjDecompressHeader3(handle, jpeg, size, out var width, out var height, out _, out var colorSpace), data);
                // Callers bound the size that the header told them.
                if (width != header.Width || height != header.Height)
                    throw new InvalidImageContentException("The JPEG has two frame headers that disagree.");
                (width, height) = Scaled(width, height, options.TargetSize);
                var pixels = options.Configuration.MemoryAllocator.Allocate<TPixel>(width, height);
                if (colorSpace is ColorSpace.Cmyk or ColorSpace.Ycck)
                {
                    var cmyk = options.Configuration.MemoryAllocator.Allocate<Rgba32>(width, height);
                    Decompress(handle, data, jpeg, MemoryMarshal.AsBytes(cmyk.AsSpan()), width, height, PixelFormat.Cmyk);
                    FromInvertedCmyk(cmyk, pixels);
                }
                else if (typeof(TPixel) == typeof(Rgb24) || typeof(TPixel) == typeof(Rgba32))
                {
                    var format = typeof(TPixel) == typeof(Rgb24) ? PixelFormat.Rgb : PixelFormat.Rgba;
                    Decompress(handle, data, jpeg, MemoryMarshal.AsBytes(pixels.AsSpan()), width, height, format);
                }
                else
                {
                    var rgb = options.Configuration.MemoryAllocator.Allocate<Rgb24>(width, height);
                    Decompress(handle, data, jpeg, MemoryMarshal.AsBytes(rgb.AsSpan()), width, height, PixelFormat.Rgb);
                    PixelConversion.FromRgb24(rgb, pixels.AsSpan());
                }
                return new Image<TPixel>(options.Configuration, pixels, width, height, header.ToMetadata(options));
            }
        }
        finally
        {
            _ = tjDestroy(handle);
        }
    }

    private static void Decompress(
        nint handle, ReadOnlySpan<byte> data, byte* jpeg, Span<byte> destination, int width, int height, PixelFormat format)
    {
        int result;
        fixed (byte* target = destination)
            result = tjDecompress2(
                handle, jpeg, new CULong((nuint)data.Length), target, width, destination.Length / height, height, format, FlagLimitScans);
        Check(handle, result, data);
    }

    private static void Check(nint handle, int result, ReadOnlySpan<byte> data)
    {
        if (result == 0) return;
        var error = Error(handle);
        if (tjGetErrorCode(handle) != ErrorIsWarning || !Harmless.Any(error.Contains))
            throw new InvalidImageContentException($"The JPEG is damaged or cut short: {error}.");
        // libjpeg reports its first warning only: a harmless one may hide that the end is missing.
        var scan = JpegHeader.ScanStart(data);
        if (scan < 0 || data[scan..].IndexOf<byte>([0xFF, 0xD9]) < 0)
            throw new InvalidImageContentException("The JPEG is cut short: its end marker is missing.");
    }

    /// <summary>The smallest of 1/8, 1/4, 1/2 and 1 of the size that still covers what <paramref name="target"/> asks for.</summary>
    private static (int Width, int Height) Scaled(int width, int height, Size? target)
    {
        if (target is null) return (width, height);
        var fitted = ResizeGeometry.Max(new Size(width, height), target.Value);
        foreach (var denominator in (ReadOnlySpan<int>)[8, 4, 2])
        {
            var (w, h) = ((width + denominator - 1) / denominator, (height + denominator - 1) / denominator);
            if (w >= fitted.Width && h >= fitted.Height) return (w, h);
        }
        return (width, height);
    }

    // Adobe stores CMYK inverted (0 is full ink), and practically every CMYK JPEG comes from there.
    private static void FromInvertedCmyk<TPixel>(ReadOnlySpan<Rgba32> cmyk, Span<TPixel> pixels)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var i = 0; i < cmyk.Length; i++)
        {
            var k = cmyk[i].A;
            pixels[i].FromRgb24(new Rgb24(Multiply(cmyk[i].R, k), Multiply(cmyk[i].G, k), Multiply(cmyk[i].B, k)));
        }
    }

    private static byte Multiply(byte ink, byte black) => (byte)(((ink * black) + 127) / 255);
}

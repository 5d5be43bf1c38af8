using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Native;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Webp;

/// <summary>WebP through libwebp: lossy and lossless, with or without alpha; of an animation the first frame.</summary>
internal static unsafe class WebpDecoding
{
    public static Image<TPixel> Decode<TPixel>(ImageHeader header, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        if (WebpHeader.IsAnimated(data)) return DecodeFirstFrame<TPixel>(header, options, data);
        var allocator = options.Configuration.MemoryAllocator;
        var pixels = allocator.Allocate<TPixel>(header.Width, header.Height);
        if (typeof(TPixel) == typeof(Rgb24) || typeof(TPixel) == typeof(Rgba32))
        {
            Read(data, MemoryMarshal.AsBytes(pixels.AsSpan()), header, alpha: typeof(TPixel) == typeof(Rgba32));
        }
        else
        {
            var rgba = allocator.Allocate<Rgba32>(header.Width, header.Height);
            Read(data, MemoryMarshal.AsBytes(rgba.AsSpan()), header, alpha: true);
            PixelConversion.FromRgba32(rgba, pixels.AsSpan());
        }
        return new Image<TPixel>(options.Configuration, pixels, header.Width, header.Height, header.ToMetadata(options));
    }

    private static Image<TPixel> DecodeFirstFrame<TPixel>(ImageHeader header, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var animation = WebpAnimation.Read(header, data);
        var area = animation.Area;
        var allocator = options.Configuration.MemoryAllocator;
        var frame = allocator.Allocate<Rgba32>(area.Width, area.Height);
        Read(animation.Frame, MemoryMarshal.AsBytes(frame.AsSpan()), header with { Width = area.Width, Height = area.Height }, alpha: true);
        var canvas = allocator.Allocate<TPixel>(header.Width, header.Height);
        TPixel background = default;
        background.FromRgba32(animation.Background);
        Array.Fill(canvas, background);
        for (var y = 0; y < area.Height; y++)
            PixelConversion.FromRgba32(
                frame.AsSpan(y * area.Width, area.Width), canvas.AsSpan(((area.Y + y) * header.Width) + area.X, area.Width));
        return new Image<TPixel>(options.Configuration, canvas, header.Width, header.Height, header.ToMetadata(options));
    }

    private static void Read(ReadOnlySpan<byte> data, Span<byte> destination, ImageHeader header, bool alpha)
    {
        byte* result;
        fixed (byte* webp = data)
        fixed (byte* buffer = destination)
        {
            var (size, bufferSize, stride) = ((nuint)data.Length, (nuint)destination.Length, destination.Length / header.Height);
            result = alpha
                ? LibWebp.WebPDecodeRGBAInto(webp, size, buffer, bufferSize, stride)
                : LibWebp.WebPDecodeRGBInto(webp, size, buffer, bufferSize, stride);
        }
        if (result is null) throw new InvalidImageContentException("The WebP is damaged or cut short.");
    }
}

using System.Runtime.InteropServices;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats;

/// <summary>Pixels as the bytes that a native encoder takes, and their layout.</summary>
internal readonly ref struct EncoderBytes<TFormat>(ReadOnlySpan<byte> bytes, TFormat format)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;

    public void Deconstruct(out ReadOnlySpan<byte> pixels, out TFormat layout)
    {
        pixels = bytes;
        layout = format;
    }
}

/// <inheritdoc cref="EncoderBytes{TFormat}"/>
internal static class EncoderBytes
{
    public static ReadOnlySpan<byte> Rgba<TPixel>(Image<TPixel> image)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        if (typeof(TPixel) == typeof(Rgba32)) return MemoryMarshal.AsBytes(image.Pixels.AsSpan());
        var rgba = image.Configuration.MemoryAllocator.Allocate<Rgba32>(image.Width, image.Height);
        PixelConversion.ToRgba32<TPixel>(image.Pixels, rgba);
        return MemoryMarshal.AsBytes(rgba.AsSpan());
    }
}

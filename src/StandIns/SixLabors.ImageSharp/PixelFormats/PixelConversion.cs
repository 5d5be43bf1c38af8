using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.PixelFormats;

/// <summary>Rows of pixels from one format to another; a plain copy where the formats agree.</summary>
internal static class PixelConversion
{
    public static void FromRgb24<TPixel>(ReadOnlySpan<Rgb24> source, Span<TPixel> destination)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        if (typeof(TPixel) == typeof(Rgb24))
        {
            source.CopyTo(MemoryMarshal.Cast<TPixel, Rgb24>(destination));
            return;
        }
        for (var i = 0; i < source.Length; i++) destination[i].FromRgb24(source[i]);
    }

    public static void FromRgba32<TPixel>(ReadOnlySpan<Rgba32> source, Span<TPixel> destination)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        if (typeof(TPixel) == typeof(Rgba32))
        {
            source.CopyTo(MemoryMarshal.Cast<TPixel, Rgba32>(destination));
            return;
        }
        for (var i = 0; i < source.Length; i++) destination[i].FromRgba32(source[i]);
    }

    public static void ToRgba32<TPixel>(ReadOnlySpan<TPixel> source, Span<Rgba32> destination)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var i = 0; i < source.Length; i++) source[i].ToRgba32(ref destination[i]);
    }
}

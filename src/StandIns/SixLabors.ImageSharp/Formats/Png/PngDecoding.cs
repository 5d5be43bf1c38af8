using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Native;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>PNG through libpng, every colour type and depth, as 8 bits a channel.</summary>
internal static unsafe class PngDecoding
{
    public static Image<TPixel> Decode<TPixel>(ImageHeader header, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var allocator = options.Configuration.MemoryAllocator;
        var (chunks, alpha) = PngChunks.Select(data, header);
        var pixels = allocator.Allocate<TPixel>(header.Width, header.Height);
        // Asked for RGB, libpng would blend transparent pixels with a background; ImageSharp keeps their colour and drops alpha.
        if (alpha && typeof(TPixel) == typeof(Rgba32))
        {
            Read(chunks, MemoryMarshal.AsBytes(pixels.AsSpan()), header, LibPng.Format.Rgba);
        }
        else if (alpha)
        {
            var rgba = allocator.Allocate<Rgba32>(header.Width, header.Height);
            Read(chunks, MemoryMarshal.AsBytes(rgba.AsSpan()), header, LibPng.Format.Rgba);
            PixelConversion.FromRgba32(rgba, pixels.AsSpan());
        }
        else if (typeof(TPixel) == typeof(Rgb24))
        {
            Read(chunks, MemoryMarshal.AsBytes(pixels.AsSpan()), header, LibPng.Format.Rgb);
        }
        else
        {
            var rgb = allocator.Allocate<Rgb24>(header.Width, header.Height);
            Read(chunks, MemoryMarshal.AsBytes(rgb.AsSpan()), header, LibPng.Format.Rgb);
            PixelConversion.FromRgb24(rgb, pixels.AsSpan());
        }
        return new Image<TPixel>(options.Configuration, pixels, header.Width, header.Height, header.ToMetadata(options));
    }

    private static void Read(byte[] chunks, Span<byte> destination, ImageHeader header, LibPng.Format format)
    {
        var image = new LibPng.Image { Version = LibPng.Version };
        fixed (byte* memory = chunks)
        fixed (byte* buffer = destination)
        {
            try
            {
                if (LibPng.png_image_begin_read_from_memory(&image, memory, (nuint)chunks.Length) == 0)
                    throw new InvalidImageContentException($"The PNG cannot be decoded: {image.Error()}.");
                if (image.Width != header.Width || image.Height != header.Height)
                    throw new InvalidImageContentException("The PNG has two headers that disagree.");
                image.Format = format;
                image.Flags |= LibPng.Flag16BitIsSrgb;
                if (LibPng.png_image_finish_read(&image, null, buffer, destination.Length / header.Height, null) == 0)
                    throw new InvalidImageContentException($"The PNG is damaged or cut short: {image.Error()}.");
            }
            finally
            {
                LibPng.png_image_free(&image);
            }
        }
    }
}

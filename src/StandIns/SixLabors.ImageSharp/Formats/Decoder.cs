using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace SixLabors.ImageSharp.Formats;

/// <summary>Decodes whichever format the bytes are of.</summary>
internal static class Decoder
{
    public static Image<TPixel> Decode<TPixel>(DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var header = HeaderReader.Read(data);
        try
        {
            var image = header.Format switch
            {
                JpegFormat => JpegDecoding.Decode<TPixel>(header, options, data),
                PngFormat => PngDecoding.Decode<TPixel>(header, options, data),
                WebpFormat => WebpDecoding.Decode<TPixel>(header, options, data),
                GifFormat => GifDecoding.Decode<TPixel>(header, options, data),
                _ => BmpDecoding.Decode<TPixel>(header, options, data),
            };
            if (options.TargetSize is { } target && ResizeGeometry.Max(image.Size, target) is var fitted && fitted != image.Size)
                image.Mutate(context => context.Resize(fitted.Width, fitted.Height, options.Sampler));
            return image;
        }
        catch (InvalidMemoryOperationException exception)
        {
            throw new InvalidImageContentException(
                $"Cannot decode image. Failed to allocate buffers for possibly degenerate dimensions: {header.Width}x{header.Height}.", exception);
        }
    }
}

using System.Buffers.Binary;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>Bitmaps of 1 to 32 bits a pixel, with palette, masks or run lengths.</summary>
internal static class BmpDecoding
{
    public static Image<TPixel> Decode<TPixel>(ImageHeader image, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var header = BmpHeader.Read(data);
        if (header.Pixels > data.Length)
            throw new InvalidImageContentException("The BMP says that its pixels begin behind its end.");
        var allocator = options.Configuration.MemoryAllocator;
        var pixels = allocator.Allocate<TPixel>(header.Width, header.Height);
        var packed = data[(int)header.Pixels..];
        if (header.Compression is BmpCompression.RunLength8 or BmpCompression.RunLength4)
        {
            var indices = allocator.Allocate<short>(header.Width, header.Height);
            BmpRunLengths.Unpack(packed, header, indices);
            var palette = BmpPalette.Read(header, data);
            for (var y = 0; y < header.Height; y++)
            {
                var row = Row(pixels, header, y);
                for (var x = 0; x < row.Length; x++) row[x].FromRgb24(palette.Colour(indices[(y * header.Width) + x]));
            }
        }
        else
        {
            DecodeRows(header, data, packed, pixels);
        }
        return new Image<TPixel>(options.Configuration, pixels, header.Width, header.Height, image.ToMetadata(options));
    }

    private static void DecodeRows<TPixel>(BmpHeader header, ReadOnlySpan<byte> data, ReadOnlySpan<byte> packed, TPixel[] pixels)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var stride = (int)((((long)header.Width * header.BitsPerPixel) + 31) / 32 * 4);
        if ((long)stride * header.Height > packed.Length) throw new InvalidImageContentException("The BMP is cut short.");
        var masked = header.Compression is BmpCompression.BitFields or BmpCompression.AlphaBitFields;
        switch (header.BitsPerPixel, masked)
        {
            case (1 or 2 or 4 or 8, false):
                var palette = BmpPalette.Read(header, data);
                for (var y = 0; y < header.Height; y++) palette.Draw(packed.Slice(y * stride, stride), header.BitsPerPixel, Row(pixels, header, y));
                break;
            case (16, _):
                var masks = new BmpMasks(header);
                for (var y = 0; y < header.Height; y++) masks.Draw16(packed.Slice(y * stride, stride), Row(pixels, header, y));
                break;
            case (24, false):
                for (var y = 0; y < header.Height; y++) Draw24(packed.Slice(y * stride, stride), Row(pixels, header, y));
                break;
            case (32, false):
                var opaque = header.Length == 40 && !AnyAlpha(packed[..(stride * header.Height)]);
                for (var y = 0; y < header.Height; y++) Draw32(packed.Slice(y * stride, stride), opaque, Row(pixels, header, y));
                break;
            case (32, true):
                var fields = new BmpMasks(header);
                for (var y = 0; y < header.Height; y++) fields.Draw32(packed.Slice(y * stride, stride), Row(pixels, header, y));
                break;
            default:
                throw new NotSupportedException($"BMP with {header.BitsPerPixel} bits a pixel and compression {header.Compression} is not supported.");
        }
    }

    private static Span<TPixel> Row<TPixel>(TPixel[] pixels, BmpHeader header, int stored) =>
        pixels.AsSpan((header.FromTop ? stored : header.Height - 1 - stored) * header.Width, header.Width);

    private static void Draw24<TPixel>(ReadOnlySpan<byte> source, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var x = 0; x < row.Length; x++) row[x].FromRgb24(new Rgb24(source[(3 * x) + 2], source[(3 * x) + 1], source[3 * x]));
    }

    private static void Draw32<TPixel>(ReadOnlySpan<byte> source, bool opaque, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var x = 0; x < row.Length; x++)
        {
            var pixel = source.Slice(4 * x, 4);
            row[x].FromRgba32(new Rgba32(pixel[2], pixel[1], pixel[0], opaque ? byte.MaxValue : pixel[3]));
        }
    }

    // The oldest header has no alpha, yet many programs write it: all zero means that this one did not.
    private static bool AnyAlpha(ReadOnlySpan<byte> pixels)
    {
        for (var i = 3; i < pixels.Length; i += 4)
            if (pixels[i] != 0) return true;
        return false;
    }
}

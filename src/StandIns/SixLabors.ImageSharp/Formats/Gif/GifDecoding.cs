using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Gif;

/// <summary>The first frame of a GIF on its logical screen.</summary>
internal static class GifDecoding
{
    public static Image<TPixel> Decode<TPixel>(ImageHeader header, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var frame = GifBlocks.FirstFrame(data);
        var allocator = options.Configuration.MemoryAllocator;
        var screen = allocator.Allocate<TPixel>(header.Width, header.Height);
        Array.Fill(screen, Around<TPixel>(frame));
        if (!frame.Colours.IsEmpty)
        {
            var rows = Math.Min(frame.Area.Height, Math.Max(0, header.Height - frame.Area.Y));
            var stored = frame.Interlaced ? frame.Area.Height : rows;
            var indices = allocator.Allocate<byte>(frame.Area.Width, stored);
            Array.Clear(indices);
            LzwDecoder.Decode(frame.Codes, frame.MinimumCodeSize, indices);
            for (var n = 0; n < stored; n++)
            {
                var y = frame.Row(n);
                if (y < rows) Draw(frame, indices.AsSpan(n * frame.Area.Width, frame.Area.Width), Part(screen, header, frame.Area.Y + y, frame.Area.X));
            }
        }
        return new Image<TPixel>(options.Configuration, screen, header.Width, header.Height, header.ToMetadata(options));
    }

    private static TPixel Around<TPixel>(GifFrame frame)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        TPixel pixel = default;
        if (frame.Transparent is null && frame.Background < frame.Colours.Length) pixel.FromRgb24(frame.Colours[frame.Background]);
        return pixel;
    }

    private static Span<TPixel> Part<TPixel>(TPixel[] screen, ImageHeader header, int y, int x) =>
        x >= header.Width ? [] : screen.AsSpan((y * header.Width) + x, header.Width - x);

    private static void Draw<TPixel>(GifFrame frame, ReadOnlySpan<byte> indices, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var last = frame.Colours.Length - 1;
        for (var x = 0; x < Math.Min(indices.Length, row.Length); x++)
        {
            int index = indices[x];
            if (frame.Transparent is { } transparent && (index == transparent || index > last)) continue;
            row[x].FromRgb24(frame.Colours[Math.Min(index, last)]);
        }
    }
}

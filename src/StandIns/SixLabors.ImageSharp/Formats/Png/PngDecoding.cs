using System.IO.Compression;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>PNG of every colour type and depth, interlaced or not; of an animation the picture that is shown without it. In managed code:
/// libpng's simplified API gets interlaced pictures of 16 bits wrong.</summary>
internal static class PngDecoding
{
    // The seven passes of Adam7: first column and row, then the steps between columns and rows.
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private static readonly (int X, int Y, int StepX, int StepY)[] OnePass = [(0, 0, 1, 1)];

    private delegate void RowAction<TPixel>(int row, ReadOnlySpan<TPixel> pixels);

    public static Image<TPixel> Decode<TPixel>(ImageHeader image, DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var header = PngHeader.Read(data);
        var content = PngContent.Read(data, header);
        var pixels = options.Configuration.MemoryAllocator.Allocate<TPixel>(header.Width, header.Height);
        var samples = new PngSamples(header, content);
        try
        {
            using var unpacked = new ZLibStream(content.Pixels, CompressionMode.Decompress);
            foreach (var (x, y, stepX, stepY) in header.Interlaced ? Adam7 : OnePass)
            {
                var (width, height) = ((header.Width - x + stepX - 1) / stepX, (header.Height - y + stepY - 1) / stepY);
                if (width <= 0 || height <= 0) continue;
                DecodePass<TPixel>(unpacked, header, samples, width, height, (row, line) =>
                {
                    var target = pixels.AsSpan((y + (row * stepY)) * header.Width, header.Width);
                    if (stepX == 1) line.CopyTo(target);
                    else for (var i = 0; i < line.Length; i++) target[x + (i * stepX)] = line[i];
                });
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidImageContentException($"The PNG is damaged or cut short: {exception.Message}", exception);
        }
        return new Image<TPixel>(options.Configuration, pixels, header.Width, header.Height, image.ToMetadata(options));
    }

    private static void DecodePass<TPixel>(
        ZLibStream unpacked, PngHeader header, PngSamples samples, int width, int height, RowAction<TPixel> place)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var length = (int)((((long)width * header.BitsPerPixel) + 7) / 8);
        var (row, above, pixels) = (new byte[1 + length], new byte[1 + length], new TPixel[width]);
        for (var y = 0; y < height; y++)
        {
            unpacked.ReadExactly(row);
            PngFilters.Undo(row[0], row.AsSpan(1), above.AsSpan(1), Math.Max(1, header.BitsPerPixel / 8));
            samples.Draw<TPixel>(row.AsSpan(1), pixels);
            place(y, pixels);
            (row, above) = (above, row);
        }
    }
}

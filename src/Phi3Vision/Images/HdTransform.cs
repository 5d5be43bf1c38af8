using System.Runtime.InteropServices;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// The published HD transform, streamed: reads an image row by row and emits the rows of the resized and padded image. The published code
/// transposes portraits, resizes horizontally and then vertically, pads above and below, and transposes back. Without the transposes that
/// is a vertical resize, then a horizontal one, and padding at left and right.
/// </summary>
internal static class HdTransform
{
    private const byte White = 255;

    /// <summary>Runs the transform.</summary>
    /// <param name="image">Image to transform.</param>
    /// <param name="shape">Shape of <paramref name="image"/>, with a <c>ResizedHeight</c> above 0.</param>
    /// <param name="take">Receives the rows from the top, interleaved RGB; each row is only valid during the call.</param>
    public static void Run(Image<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take) => image.ProcessPixelRows(rows =>
    {
        if (shape.Transposed) Portrait(rows, shape, take);
        else Landscape(rows, shape, take);
    });

    private static void Landscape(PixelAccessor<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take)
    {
        using var across = new BilinearTaps(image.Width, shape.Width);
        using var down = new BilinearTaps(image.Height, shape.ResizedHeight);
        using var source = new RowRing(1, image.Width * 3);
        using var recent = new RowRing(down.Most, shape.Width * 3);
        using var row = new RowRing(1, shape.Width * 3);
        var output = row[0][..(shape.Width * 3)];
        output.Fill(White);
        for (var y = 0; y < shape.PadTop; y++) take(output);
        var read = 0;
        for (var y = 0; y < shape.ResizedHeight; y++)
        {
            for (; read < down.Starts[y] + down.Most; read++)
            {
                Bytes(image, read).CopyTo(source[0]);
                BilinearResize.Horizontal(source[0], across, recent[read]);
            }
            BilinearResize.Vertical(recent, down, y, row[0]);
            take(output);
        }
        output.Fill(White);
        for (var y = shape.PadTop + shape.ResizedHeight; y < shape.Height; y++) take(output);
    }

    private static void Portrait(PixelAccessor<Rgb24> image, HdShape shape, Action<ReadOnlySpan<byte>> take)
    {
        using var down = new BilinearTaps(image.Height, shape.Width);
        using var across = new BilinearTaps(image.Width, shape.ResizedHeight);
        using var recent = new RowRing(down.Most, image.Width * 3);
        using var narrow = new RowRing(1, image.Width * 3);
        using var row = new RowRing(1, shape.Height * 3);
        row[0].Fill(White);
        var read = 0;
        for (var y = 0; y < shape.Width; y++)
        {
            for (; read < down.Starts[y] + down.Most; read++) Bytes(image, read).CopyTo(recent[read]);
            BilinearResize.Vertical(recent, down, y, narrow[0]);
            BilinearResize.Horizontal(narrow[0], across, row[0][(shape.PadTop * 3)..]);
            row[0][(shape.PadTop + shape.ResizedHeight) * 3] = White;
            take(row[0][..(shape.Height * 3)]);
        }
    }

    private static Span<byte> Bytes(PixelAccessor<Rgb24> image, int y) => MemoryMarshal.AsBytes(image.GetRowSpan(y));
}

using System.Buffers.Binary;
using System.Numerics;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Bmp;

/// <summary>Pixels whose channels are bits under a mask.</summary>
internal readonly struct BmpMasks(BmpHeader header)
{
    private readonly (uint Red, uint Green, uint Blue, uint Alpha) masks = header.Masks;

    public void Draw16<TPixel>(ReadOnlySpan<byte> source, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var x = 0; x < row.Length; x++)
        {
            uint pixel = BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * x)..]);
            row[x].FromRgb24(new Rgb24(FiveOrSix(pixel, masks.Red), FiveOrSix(pixel, masks.Green), FiveOrSix(pixel, masks.Blue)));
        }
    }

    public void Draw32<TPixel>(ReadOnlySpan<byte> source, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        // Like the package: channels of more than 8 bits are scaled, shorter ones are taken as they are.
        var wide = BitOperations.PopCount(masks.Red) > 8 || BitOperations.PopCount(masks.Green) > 8 || BitOperations.PopCount(masks.Blue) > 8;
        for (var x = 0; x < row.Length; x++)
        {
            var pixel = BinaryPrimitives.ReadUInt32LittleEndian(source[(4 * x)..]);
            byte Channel(uint mask) => wide ? Scaled(pixel, mask) : (byte)Value(pixel, mask);
            row[x].FromRgba32(new Rgba32(
                Channel(masks.Red), Channel(masks.Green), Channel(masks.Blue), masks.Alpha == 0 ? byte.MaxValue : Channel(masks.Alpha)));
        }
    }

    private static uint Value(uint pixel, uint mask) => mask == 0 ? 0 : (pixel & mask) >> BitOperations.TrailingZeroCount(mask);

    // Repeating the highest bits makes 0 black and the largest value white.
    private static byte FiveOrSix(uint pixel, uint mask)
    {
        var value = Value(pixel, mask);
        return (byte)(BitOperations.PopCount(mask) == 5 ? (value << 3) | (value >> 2) : (value << 2) | (value >> 4));
    }

    private static byte Scaled(uint pixel, uint mask) =>
        mask == 0 ? (byte)0 : (byte)Math.Round(255.0 * Value(pixel, mask) / (uint.MaxValue >> (32 - BitOperations.PopCount(mask))));
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>Turns the samples of a row into pixels of 8 bits a channel.</summary>
internal sealed class PngSamples(PngHeader header, PngContent content)
{
    private readonly int channels = header.Channels;
    private readonly byte[] transparency = content.Transparency;

    public void Draw<TPixel>(ReadOnlySpan<byte> row, Span<TPixel> pixels)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        if (header is { Color: PngColor.Rgb, Depth: 8 } && transparency.Length == 0)
            PixelConversion.FromRgb24(MemoryMarshal.Cast<byte, Rgb24>(row), pixels);
        else if (header is { Color: PngColor.Rgba, Depth: 8 })
            PixelConversion.FromRgba32(MemoryMarshal.Cast<byte, Rgba32>(row), pixels);
        else
            for (var x = 0; x < pixels.Length; x++) pixels[x].FromRgba32(Pixel(row, x));
    }

    private Rgba32 Pixel(ReadOnlySpan<byte> row, int x)
    {
        var first = Sample(row, x, 0);
        switch (header.Color)
        {
            case PngColor.Palette:
                if (content.Palette.Length == 0) throw new InvalidImageContentException("The PNG lacks its palette.");
                // The package takes an index without colour for the last one.
                var index = Math.Min(first, content.Palette.Length - 1);
                var colour = content.Palette[index];
                return new Rgba32(colour.R, colour.G, colour.B, index < transparency.Length ? transparency[index] : byte.MaxValue);
            case PngColor.Grey:
                var grey = ToByte(first);
                return new Rgba32(grey, grey, grey, transparency.Length >= 2 && first == Transparent(0) ? (byte)0 : byte.MaxValue);
            case PngColor.GreyAlpha:
                var light = ToByte(first);
                return new Rgba32(light, light, light, ToByte(Sample(row, x, 1)));
            default:
                var (green, blue) = (Sample(row, x, 1), Sample(row, x, 2));
                var alpha = header.Color == PngColor.Rgba ? ToByte(Sample(row, x, 3))
                    : transparency.Length >= 6 && (first, green, blue) == (Transparent(0), Transparent(1), Transparent(2)) ? (byte)0
                    : byte.MaxValue;
                return new Rgba32(ToByte(first), ToByte(green), ToByte(blue), alpha);
        }
    }

    private int Transparent(int channel) => BinaryPrimitives.ReadUInt16BigEndian(transparency.AsSpan(2 * channel)) & ((1 << header.Depth) - 1);

    private int Sample(ReadOnlySpan<byte> row, int x, int channel)
    {
        var at = (x * channels) + channel;
        if (header.Depth == 16) return BinaryPrimitives.ReadUInt16BigEndian(row[(2 * at)..]);
        if (header.Depth == 8) return row[at];
        var bit = at * header.Depth;
        return (row[bit / 8] >> (8 - header.Depth - (bit % 8))) & ((1 << header.Depth) - 1);
    }

    // 16 bits are rounded; the largest values of fewer than 8 divide 255.
    private byte ToByte(int sample) =>
        header.Depth == 16 ? (byte)(((sample * 255L) + 32895) >> 16) : (byte)(sample * (255 / ((1 << header.Depth) - 1)));
}

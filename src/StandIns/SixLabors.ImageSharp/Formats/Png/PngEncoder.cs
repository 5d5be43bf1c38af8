using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Native;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>Writes PNG with 8 bits a channel: grey for <see cref="L8"/>, RGB for <see cref="Rgb24"/>, else RGBA.</summary>
public class PngEncoder : QuantizingImageEncoder
{
    protected override unsafe void Encode<TPixel>(Image<TPixel> image, Stream stream, CancellationToken cancellationToken)
    {
        var (bytes, format) = Bytes(image);
        var png = new LibPng.Image
        {
            Version = LibPng.Version,
            Width = (uint)image.Width,
            Height = (uint)image.Height,
            Format = format,
        };
        // Incompressible pixels grow by the filter byte of each row, 5 bytes for each 16 kB that deflate stores
        // and 12 for each 8 kB chunk.
        var target = new byte[bytes.Length + image.Height + (bytes.Length >> 8) + 4096];
        var size = (nuint)target.Length;
        fixed (byte* source = bytes)
        fixed (byte* memory = target)
        {
            if (LibPng.png_image_write_to_memory(&png, memory, ref size, convertTo8Bit: 0, source, bytes.Length / image.Height, null) == 0)
                throw new InvalidOperationException($"The PNG cannot be encoded: {png.Error()}.");
        }
        stream.Write(target.AsSpan(0, (int)size));
    }

    private static EncoderBytes<LibPng.Format> Bytes<TPixel>(Image<TPixel> image)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var bytes = MemoryMarshal.AsBytes(image.Pixels.AsSpan());
        if (typeof(TPixel) == typeof(Rgb24)) return new(bytes, LibPng.Format.Rgb);
        if (typeof(TPixel) == typeof(L8)) return new(bytes, LibPng.Format.Grey);
        return new(EncoderBytes.Rgba(image), LibPng.Format.Rgba);
    }
}

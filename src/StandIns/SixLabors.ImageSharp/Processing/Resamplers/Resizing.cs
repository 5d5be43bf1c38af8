using System.Numerics;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Processing.Processors.Transforms;

/// <summary>Separable resampling in floating point: rows first, then columns; colour is weighted by alpha.</summary>
internal static class Resizing
{
    public static TPixel[] Resize<TPixel>(Image<TPixel> image, Size size, IResampler sampler)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var allocator = image.Configuration.MemoryAllocator;
        var columns = ResizeKernel.Create(image.Width, size.Width, sampler);
        var rows = ResizeKernel.Create(image.Height, size.Height, sampler);
        var narrowed = allocator.Allocate<Vector4>(size.Width, image.Height);
        var line = new Vector4[image.Width];
        for (var y = 0; y < image.Height; y++)
        {
            Read<TPixel>(image.Row(y), line);
            var target = narrowed.AsSpan(y * size.Width, size.Width);
            for (var x = 0; x < target.Length; x++)
            {
                var kernel = columns[x];
                var sum = Vector4.Zero;
                for (var i = 0; i < kernel.Weights.Length; i++) sum += line[kernel.Start + i] * kernel.Weights[i];
                target[x] = sum;
            }
        }

        var result = allocator.Allocate<TPixel>(size.Width, size.Height);
        var sums = new Vector4[size.Width];
        for (var y = 0; y < size.Height; y++)
        {
            Array.Clear(sums);
            var kernel = rows[y];
            for (var i = 0; i < kernel.Weights.Length; i++)
            {
                var source = narrowed.AsSpan((kernel.Start + i) * size.Width, size.Width);
                var weight = kernel.Weights[i];
                for (var x = 0; x < sums.Length; x++) sums[x] += source[x] * weight;
            }
            Write(sums, result.AsSpan(y * size.Width, size.Width));
        }
        return result;
    }

    private static void Read<TPixel>(ReadOnlySpan<TPixel> row, Span<Vector4> vectors)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        Rgba32 pixel = default;
        for (var x = 0; x < row.Length; x++)
        {
            row[x].ToRgba32(ref pixel);
            var alpha = pixel.A / 255F;
            vectors[x] = new Vector4(pixel.R * alpha, pixel.G * alpha, pixel.B * alpha, pixel.A);
        }
    }

    private static void Write<TPixel>(ReadOnlySpan<Vector4> vectors, Span<TPixel> row)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        for (var x = 0; x < row.Length; x++)
        {
            var value = vectors[x];
            if (value.W > 0) value = new Vector4(value.AsVector3() * (255F / value.W), value.W);
            value = Vector4.Clamp(value + new Vector4(0.5F), Vector4.Zero, new Vector4(255));
            row[x].FromRgba32(new Rgba32((byte)value.X, (byte)value.Y, (byte)value.Z, (byte)value.W));
        }
    }
}
